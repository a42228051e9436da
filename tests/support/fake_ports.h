// Ports without a world behind them, for the units whose own logic is tested: executor, observer,
// loop. What replication really does is for the tests on real servers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "reconciler/port/database.h"
#include "reconciler/port/host.h"
#include "reconciler/port/lease.h"
#include "reconciler/port/publisher.h"
#include "reconciler/port/store.h"

namespace pandora_ha {

// Says what it is told to say and writes down what it is asked.
class FakeNode : public DatabaseNode {
 public:
  std::function<Look(Deadline)> look = [](Deadline) {
    return Look{Contact::kAnswered, "", DatabaseState{}};
  };
  std::map<std::string, Status> answers;  // by verb; missing: ok
  std::vector<std::string> asked;
  std::optional<GuardsCopy> guards;  // as last written

  Look Observe(Deadline deadline) override { return look(deadline); }
  int WatchDescriptor() const override { return -1; }
  void Disconnect() override {}
  Result<bool> IsWritable(Deadline deadline) override {
    const Look seen = look(deadline);
    if (!seen.state) return Error{ErrorCode::kUnreachable, seen.error};
    return seen.state->writable;
  }
  Status TakeLock(Deadline) override { return Say("TakeLock"); }
  Status EvictHolder(Deadline) override { return Say("EvictHolder"); }
  Status ReleaseLock(Deadline) override { return Say("ReleaseLock"); }
  Result<std::vector<Blocker>> Blockers(Duration, Deadline) override {
    return std::vector<Blocker>();
  }
  Status EndTransactions(const std::vector<Blocker>&, Deadline) override {
    return Say("EndTransactions");
  }
  Result<MarkerStanding> AskAfterMarker(Deadline) override { return MarkerStanding{}; }
  Status AwaitExecuted(const GtidSet&, Deadline) override { return Say("AwaitExecuted"); }
  Status SetReadOnly(Deadline) override { return Say("SetReadOnly"); }
  Status OpenWritable(Deadline) override { return Say("OpenWritable"); }
  Status StopReceiving(Deadline) override { return Say("StopReceiving"); }
  Status ApplyReceived(Deadline) override { return Say("ApplyReceived"); }
  Status LeaveReplication(Deadline) override { return Say("LeaveReplication"); }
  Status ReplicateFrom(const Address&, const Account&, const Secret&, Deadline) override {
    return Say("ReplicateFrom");
  }
  Status SetSemiSync(SemiSyncRole, Deadline) override { return Say("SetSemiSync"); }
  Status InjectEmpty(const GtidSet&, Deadline) override { return Say("InjectEmpty"); }
  Status WriteMarker(Epoch, const NodeName&, WallTime, Deadline) override {
    return Say("WriteMarker");
  }
  Status WriteGuards(const GuardsCopy& copy, Epoch, std::uint64_t, Deadline) override {
    guards = copy;
    return Say("WriteGuards");
  }
  Status Provision(const ClusterSpec&, const ResolvedCredentials&, Deadline) override {
    return Say("Provision");
  }

 private:
  Status Say(const std::string& verb) {
    asked.push_back(verb);
    const auto found = answers.find(verb);
    return found == answers.end() ? Ok() : found->second;
  }
};

class FakeHost : public Host {
 public:
  ProcessState process{ProcessState::Phase::kRunning, 1, "", {}, true, false, true};
  bool known = true;
  bool claimed = false;

  Seen<ProcessState> Process() const override {
    return known ? Seen<ProcessState>::Known(process, {})
                 : Seen<ProcessState>::Unknown("nobody", {});
  }
  bool CanFence() const override { return known; }
  Status Start(const StartOptions&, Deadline) override { return Ok(); }
  Status Fence(Deadline) override {
    process.phase = ProcessState::Phase::kEnded;
    return Ok();
  }
  Status Rebuild(const CopyOptions&, Deadline) override { return Ok(); }
  Status DiscardOldCopy(Deadline) override { return Ok(); }
  Status Archive(const ArchiveOptions&, Deadline) override { return Ok(); }
  Status Merge(const MergeIntoPrimary&, Deadline) override { return Ok(); }
  Status StopMerge(const std::string&, Deadline) override { return Ok(); }
  Status Rewind(const std::string&, const std::string&, Deadline) override { return Ok(); }
  Status Verify(const std::string&, const NodeName&, const Address&, Deadline) override {
    return Ok();
  }
  Status Claim(Deadline) override {
    claimed = true;
    return Ok();
  }
  bool Claimed() const override { return claimed; }
};

class FakePublisher : public Publisher {
 public:
  std::vector<PublishedPrimary> published;
  std::vector<Epoch> renewed;

  Status Publish(const PublishedPrimary& primary) override {
    published.push_back(primary);
    return Ok();
  }
  Status Drain(Duration, Deadline) override { return Ok(); }
  Status Withdraw() override { return Ok(); }
  Status Renew(Epoch epoch, TimePoint) override {
    renewed.push_back(epoch);
    return Ok();
  }
  PublicationSeen Current() const override {
    if (published.empty()) return {};
    return {published.back().node, published.back().epoch, ""};
  }
};

class FakeLease : public Lease {
 public:
  std::atomic<bool> held = true;
  bool Held() override { return held; }
  std::string Holder() override { return "test"; }
};

class FakeStore : public Store {
 public:
  std::optional<Memory> memory;
  std::vector<Event> events;
  bool failing = false;
  int writes = 0;

  Result<std::optional<Memory>> ReadMemory() override { return memory; }
  Status WriteMemory(const Memory& wanted) override {
    if (failing) return Error{ErrorCode::kIo, "no space left on device"};
    ++writes;
    memory = wanted;
    return Ok();
  }
  Status AppendEvent(const Event& event) override {
    events.push_back(event);
    return Ok();
  }
  Result<std::vector<Event>> ReadEvents(std::size_t) override { return events; }
};

}  // namespace pandora_ha
