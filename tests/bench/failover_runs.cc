#include "tests/bench/failover_runs.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <future>
#include <mutex>
#include <unordered_set>

#include "tests/bench/floor.h"
#include "tests/bench/waiting.h"

namespace pandora_ha::bench {
namespace {

constexpr Seconds kReadyWithin{45};
constexpr Seconds kFailoverWithin{30};
constexpr std::uint64_t kIdsPerRun = 10'000'000;
constexpr std::uint64_t kRowsBefore = 200;
constexpr std::uint64_t kRowsAfter = 50;

TimePoint Now() {
  return SystemClock().Now().mono;
}

// A promotion now would lose nothing that was acknowledged.
bool Lossless(const Snapshot& s) {
  return s.status.state == ClusterState::kHealthy && s.status.primary &&
         s.status.durability_in_force == DurabilityMode::kSemiSync &&
         std::all_of(s.status.nodes.begin(), s.status.nodes.end(), [&](const NodeStatus& node) {
           return node.name == s.status.primary || node.lossless;
         });
}

// The old primary had a row that nobody acknowledged, and its server cannot take it back: a person
// must decide, and the next run needs a new cluster.
bool Diverged(const Snapshot& s) {
  return std::any_of(s.status.findings.begin(), s.status.findings.end(),
                     [](const Finding& f) { return f.code == FindingCode::kNodeDiverged; });
}

// Every snapshot that is pinned while it lives.
class Recorder {
 public:
  explicit Recorder(const TestCluster& cluster)
      : thread_([this, &cluster](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            if (auto last = cluster.Last(); last && (all_.empty() || last != all_.back())) {
              const std::lock_guard lock(mutex_);
              all_.push_back(std::move(last));
            }
            usleep(100);
          }
        }) {}

  std::vector<Noticeboard::Pinned> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Noticeboard::Pinned> all_;
  std::jthread thread_;
};

template <class A>
const StepReport* DoneStep(const Snapshot& s) {
  for (std::size_t i = 0; i < s.decision.plan.steps.size() && i < s.report.steps.size(); ++i) {
    if (std::holds_alternative<A>(s.decision.plan.steps[i].action) &&
        s.report.steps[i].outcome == StepOutcome::kDone) {
      return &s.report.steps[i];
    }
  }
  return nullptr;
}

// The ticks that made the failover, told from the outside.
class Story {
 public:
  Story(TimePoint killed, TimePoint broken, const TightWriter& writer,
        const std::vector<Noticeboard::Pinned>& snapshots, const NodeName& old_primary)
      : killed_(killed), broken_(broken), writer_(writer), old_primary_(old_primary) {
    for (const auto& s : snapshots) {
      if (s->times.acted < killed || s->times.began > writer.back_at()) continue;
      ticks_.push_back(s.get());
      if (fence_ == nullptr && !s->decision.plan.empty()) fence_ = s.get();
      if (publish_ == nullptr && DoneStep<Publish>(*s) != nullptr) publish_ = s.get();
    }
  }

  bool complete() const { return fence_ != nullptr && publish_ != nullptr; }
  std::vector<std::pair<std::string, double>> Phases() const;
  std::vector<Moment> Timeline() const;

 private:
  const TimePoint killed_, broken_;
  const TightWriter& writer_;
  const NodeName old_primary_;
  std::vector<const Snapshot*> ticks_;
  const Snapshot* fence_ = nullptr;  // the first tick that did anything
  const Snapshot* publish_ = nullptr;
};

std::vector<std::pair<std::string, double>> Story::Phases() const {
  const StepReport& publish = *DoneStep<Publish>(*publish_);
  const TimePoint published = std::min(publish.began + publish.took, writer_.back_at());
  const bool one_tick = fence_ == publish_;
  const TimePoint elected = one_tick ? fence_->times.acted : publish_->times.decided;
  return {{"kernel", MillisecondsBetween(killed_, broken_)},
          {"detect", MillisecondsBetween(broken_, fence_->times.decided)},
          {"fence", MillisecondsBetween(fence_->times.decided, fence_->times.acted)},
          {"elect", MillisecondsBetween(fence_->times.acted, elected)},
          {"promote", MillisecondsBetween(elected, publish.began)},
          {"publish", MillisecondsBetween(publish.began, published)},
          {"first_write", MillisecondsBetween(published, writer_.back_at())}};
}

std::vector<Moment> Story::Timeline() const {
  std::vector<Moment> moments;
  const auto add = [&](TimePoint at, std::string what) {
    if (at >= killed_) moments.push_back({static_cast<double>((at - killed_).count()), what});
  };
  add(broken_, "the primary's sockets are closed");
  add(writer_.cut_at(), "client: its statement failed");
  add(writer_.connected_at(), "client: connected and logged in");
  add(writer_.back_at(), "client: FIRST WRITE ACKNOWLEDGED");
  bool process_told = false;
  for (const Snapshot* tick : ticks_) {
    const std::string number = "look " + std::to_string(tick->seen.id) + ": ";
    const DatabaseSeen* old = FindSeen(tick->seen, old_primary_);
    if (!process_told && old != nullptr && old->process.known() &&
        old->process->phase == ProcessState::Phase::kEnded) {
      process_told = true;
      add(old->process->ended_at, "supervisor: the process has ended");
      add(old->process.at(), "manager: the supervisor's word received");
    }
    add(tick->times.began, number + "begun");
    add(tick->times.looked, number + "everybody has answered");
    add(tick->times.decided, number + "decided: " + tick->decision.plan.purpose);
    add(tick->times.remembered, number + "memory stored");
    for (const StepReport& step : tick->report.steps)
      add(step.began + step.took, number + step.step + " (" + std::to_string(step.took.count()) +
                                      " us, " + std::string(ToString(step.outcome)) + ")");
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.at < b.at; });
  return moments;
}

}  // namespace

std::uint64_t FailoverRuns::NewIds() {
  return next_id_ += kIdsPerRun;
}

SessionOptions FailoverRuns::To(const NodeName& node, bool admin) const {
  const ClusterSpec& spec = cluster_->spec();
  const Credentials& accounts = spec.database.credentials;
  const ResolvedCredentials& passwords = cluster_->passwords();
  return {{FindNode(spec, node)->address, spec.database.port},
          admin ? accounts.admin.user : accounts.application.user,
          admin ? passwords.admin : passwords.application,
          spec.database.tls};
}

TightWriter::Connect FailoverRuns::Client(Way way, const NodeName& primary) const {
  SessionOptions to = To(primary, false);
  switch (way) {
    case Way::kFloor:
      // Only load: it does not come back.
      return
          [to, connected = false](Deadline deadline) mutable -> Result<std::unique_ptr<Session>> {
            if (!std::exchange(connected, true)) return Session::Connect(to, deadline);
            usleep(50'000);
            return Error{ErrorCode::kUnreachable, "the old primary is gone"};
          };
    case Way::kEndpoint:
    case Way::kHung:
    case Way::kOutside:
      to.address = *cluster_->spec().endpoint.listen;
      break;
    case Way::kHostsFile:
      return [to, path = HostsFilePath(cluster_->spec())](Deadline deadline) mutable {
        std::ifstream file(path);
        std::getline(file, to.address.host);
        return Session::Connect(to, deadline);
      };
  }
  return [to](Deadline deadline) { return Session::Connect(to, deadline); };
}

Result<FailoverRuns::Pair> FailoverRuns::MakeReady() {
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (!cluster_) {
      ++rebuilt_;
      cluster_ = std::make_unique<TestCluster>(flavor_, 2, [](ClusterSpec& spec) {
        spec.database.detection.interval = Milliseconds(1000);
      });
      cluster_->StartManager();
    }
    Noticeboard::Pinned last;
    WaitUntil(kReadyWithin, [&] {
      last = cluster_->Last();
      return last && last->times.began > last_kill_ && (Lossless(*last) || Diverged(*last));
    });
    if (last && Lossless(*last)) {
      const NodeName primary = cluster_->Primary();
      const auto& nodes = cluster_->spec().database.nodes;
      const auto made = cluster_->Ask(primary, std::string("CREATE TABLE IF NOT EXISTS ") + kTable +
                                                   " (id BIGINT UNSIGNED PRIMARY KEY)");
      if (!made.ok()) return made.error();
      return Pair{primary, nodes[0].name == primary ? nodes[1].name : nodes[0].name};
    }
    std::fprintf(stderr, "%s: made anew, because it does not become healthy: %s\n",
                 flavor_.name.c_str(), last ? last->status.verdict.c_str() : "no look");
    cluster_.reset();
  }
  return Error{ErrorCode::kInternal, "no cluster of " + flavor_.name + " became healthy"};
}

Status FailoverRuns::CountLost(const NodeName& primary, const TightWriter& writer,
                               Killing* killing) const {
  const auto& ids = writer.ids();
  const auto rows = cluster_->Ask(primary, std::string("SELECT id FROM ") + kTable +
                                               " WHERE id BETWEEN " + std::to_string(ids.front()) +
                                               " AND " + std::to_string(ids.back()));
  if (!rows.ok()) return rows.error();
  std::unordered_set<std::string> present;
  for (const auto& row : rows->cells) present.insert(row[0].value_or(""));
  killing->acknowledged = ids.size();
  killing->lost =
      static_cast<std::uint64_t>(std::count_if(ids.begin(), ids.end(), [&](std::uint64_t id) {
        return !present.contains(std::to_string(id));
      }));
  return Ok();
}

Status FailoverRuns::WaitForTheMoment(const Pair& pair, const TightWriter& writer) const {
  const Deadline deadline(SystemClock(), kFailoverWithin);
  PHA_ASSIGN_OR_RETURN(const auto replica, Session::Connect(To(pair.replica, true), deadline));
  const bool came = WaitUntil(kFailoverWithin, [&] {
    return writer.acknowledged() >= kRowsBefore && AppliedAll(flavor_.flavor, *replica, deadline);
  });
  if (came) return Ok();
  return Error{ErrorCode::kTimeout, "the writer is not acknowledged, or the replica lags"};
}

void FailoverRuns::Manage(bool owner) {
  cluster_->StopManager();
  cluster_->spec().substrate = owner ? SubstrateKind::kLocal : SubstrateKind::kHosts;
  // Nobody can prove anything there, and another policy would wait for a person.
  cluster_->spec().failover_policy =
      owner ? FailoverPolicy::kConsistency : FailoverPolicy::kAvailability;
  last_kill_ = Now();
  cluster_->StartManager();
}

Result<Killing> FailoverRuns::Kill(Way way) {
  PHA_ASSIGN_OR_RETURN(Pair pair, MakeReady());
  if (way == Way::kOutside) {
    Manage(false);
    PHA_ASSIGN_OR_RETURN(pair, MakeReady());
  }
  if (way != Way::kFloor) {
    auto killing = KillUnderManager(pair, way);
    // Else the next one, of which nothing may prove that the primary is dead, would be too soon.
    cluster_->WaitForEnd(cluster_->HandIn(Acknowledge{}));
    last_kill_ = Now();
    if (way == Way::kOutside) Manage(true);
    return killing;
  }
  cluster_->StopManager();
  auto killing = KillForFloor(pair);
  last_kill_ = Now();
  // It finds a dead primary and an open replica, and brings both back into order.
  cluster_->StartManager();
  return killing;
}

Result<Killing> FailoverRuns::KillForFloor(const Pair& pair) {
  const std::uint64_t first = NewIds();
  const Deadline deadline(SystemClock(), kFailoverWithin);
  PHA_ASSIGN_OR_RETURN(Floor floor, Floor::Connect(flavor_.flavor, To(pair.primary, true),
                                                   To(pair.replica, true), deadline));
  TightWriter writer(Client(Way::kFloor, pair.primary), first);
  auto promotion =
      std::async(std::launch::async, [&] { return floor.Run(first + kIdsPerRun / 2, deadline); });
  PHA_TRY(WaitForTheMoment(pair, writer));
  const TimePoint killed = Now();
  cluster_->Signal(pair.primary, SIGKILL);
  PHA_ASSIGN_OR_RETURN(const FloorTimes times, promotion.get());
  writer.Stop();
  Killing killing;
  killing.total = MillisecondsBetween(killed, times.written);
  killing.phases = {{"kernel", MillisecondsBetween(killed, times.broken)},
                    {"stop_receiving", MillisecondsBetween(times.broken, times.stopped)},
                    {"apply", MillisecondsBetween(times.stopped, times.applied)},
                    {"leave", MillisecondsBetween(times.applied, times.left)},
                    {"open", MillisecondsBetween(times.left, times.opened)},
                    {"first_write", MillisecondsBetween(times.opened, times.written)}};
  PHA_TRY(CountLost(pair.replica, writer, &killing));
  return killing;
}

Result<Killing> FailoverRuns::KillUnderManager(const Pair& pair, Way way) {
  const Deadline deadline(SystemClock(), kFailoverWithin);
  PHA_ASSIGN_OR_RETURN(const auto idle, Session::Connect(To(pair.primary, true), deadline));
  TightWriter writer(Client(way, pair.primary), NewIds());
  auto broken =
      std::async(std::launch::async, [&] { return WaitForBreak(idle->descriptor(), deadline); });
  const Recorder recorder(*cluster_);
  const std::uint64_t done = cluster_->Last()->counters.failovers_done;
  PHA_TRY(WaitForTheMoment(pair, writer));
  const bool hangs = way == Way::kHung;
  const TimePoint killed = Now();
  cluster_->Signal(pair.primary, hangs ? SIGSTOP : SIGKILL);
  const bool back = WaitUntil(kFailoverWithin, [&] {
    return writer.back_at() != TimePoint{} && cluster_->Last()->counters.failovers_done > done;
  });
  if (!back) return Error{ErrorCode::kTimeout, "no write was acknowledged after the kill"};
  if (writer.back_at() < killed)
    return Error{ErrorCode::kInternal, "the writer's connection broke before the kill"};
  const std::uint64_t rows = writer.acknowledged();
  WaitUntil(kFailoverWithin, [&] { return writer.acknowledged() >= rows + kRowsAfter; });
  writer.Stop();
  Killing killing;
  killing.total = MillisecondsBetween(killed, writer.back_at());
  const auto snapshots = recorder.all();
  const TimePoint broke = broken.get();
  const Story story(killed, hangs ? killed : broke, writer, snapshots, pair.primary);
  if (story.complete()) {
    killing.phases = story.Phases();
    killing.timeline = story.Timeline();
  }
  PHA_TRY(CountLost(pair.replica, writer, &killing));
  return killing;
}

}  // namespace pandora_ha::bench
