// What the writer endpoint's thread owns. Internal to reconciler/publish.
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "reconciler/publish/endpoint.h"
#include "reconciler/publish/session.h"
#include "reconciler/publish/sockets.h"

namespace pandora_ha {

// Written by the endpoint's thread, read by all.
struct EndpointCounts {
  std::atomic<std::uint64_t> sessions_now{0}, sessions_total{0}, sessions_cut{0}, held_now{0},
      held_expired{0}, sessions_drained{0}, refused{0}, failed_connects{0}, bytes_from_clients{0},
      bytes_to_clients{0};
};

// Everything but the public calls runs on thread_.
class Endpoint::Core final : public SessionHost {
 public:
  Core(const EndpointOptions& options, const Clock& clock, Descriptor listener);
  ~Core() override;

  // Runs `work` on the endpoint's thread, ahead of whatever waits there, and gives its answer.
  Status Call(std::function<Status()> work);

  // Through Call() only.
  Status Publish(const PublishedPrimary& primary, TimePoint known_at);
  // `over` gets its value when no session is left, or when the drain has been ended.
  Status BeginDrain(Duration grace, std::shared_ptr<std::promise<void>> over);
  // What has come of it until now.
  Status Drained() const;
  Status Withdraw();
  Status SetLease(Duration lease);
  Status SetHold(Milliseconds hold) {
    options_.hold = hold;
    return Ok();
  }
  Status Renew(Epoch epoch, TimePoint known_at);

  PublicationSeen Current() const {
    const std::lock_guard lock(seen_mutex_);
    return seen_;
  }
  const Address& bound() const { return bound_; }
  const Clock& clock() const { return clock_; }
  const EndpointCounts& counts() const { return counts_; }

  void BeforeForwarding() override {
    if (commands_waiting_.load(std::memory_order_acquire)) RunCommands();
    if (lease_ > Duration::zero() && !lapsed_) CheckLease();
  }
  bool Ending() const override { return drain_ && drain_->grace_over; }
  TimePoint Now() const override { return clock_.Now().mono; }
  void OnFirstByte(ClientSession& session) override;
  void OnAttemptFailed(ClientSession& session, int error_number) override;
  void OnHoldExpired(ClientSession& session) override;
  void OnEnd(ClientSession& session) override;
  void OnDrained() override { counts_.sessions_drained.fetch_add(1, std::memory_order_relaxed); }
  void CountBytes(bool to_client, std::size_t bytes) override {
    auto& count = to_client ? counts_.bytes_to_clients : counts_.bytes_from_clients;
    count.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  struct Draining {
    TimePoint grace_ends;
    bool grace_over = false;
    std::shared_ptr<std::promise<void>> over;  // none: told
  };

  void Run();
  void RunCommands();
  void Accept();
  void AcceptReady();
  void Admit(Descriptor client);
  bool Open() const { return target_ && !lapsed_ && !drain_; }
  bool CanConnect() const { return Open() && !refusing_ && !addresses_.empty(); }
  void Connect(ClientSession& session);
  void ConnectWaiting();
  void ArmRetry();
  void RetryOne();
  void LookUp();
  void LookUpLater();
  void GoOnDraining();
  void EndDrain();
  void CutForwarded();
  void HoldWaiting();
  void StartLease(TimePoint from);
  void CheckLease();
  void ShowState();

  EndpointOptions options_;
  const Clock& clock_;
  const Address bound_;
  boost::asio::posix::stream_descriptor listener_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer retry_timer_, lease_timer_, accept_timer_, lookup_timer_, drain_timer_;
  bool closing_ = false;

  SessionList waiting_, forwarded_;
  std::optional<PublishedPrimary> target_;  // none: withdrawn, or never published
  std::optional<Draining> drain_;           // since then clients wait
  std::optional<PublishedPrimary> last_;    // survives a withdrawal
  std::vector<SocketAddress> addresses_;    // of target_; empty: not looked up yet
  std::size_t next_address_ = 0;
  std::uint64_t lookup_ = 0;  // tells a lookup of an older target
  bool refusing_ = false;     // the last attempt failed: one client at a time tries
  bool retry_armed_ = false;
  Duration lease_{};
  TimePoint lease_ends_{};
  bool lapsed_ = false;

  EndpointCounts counts_;
  mutable std::mutex seen_mutex_;
  PublicationSeen seen_;
  std::mutex commands_mutex_;
  std::deque<std::shared_ptr<std::packaged_task<Status()>>> commands_;
  std::atomic<bool> commands_waiting_{false};
  std::thread thread_;
};

}  // namespace pandora_ha
