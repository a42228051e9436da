// A cluster of real servers under load, with kills, freezes and switchovers at random:
// chaos [--minutes N] [--seed S] [--flavor mariadb|mysql|mariadb-11.8]
//       [--durability semiSync|async]
//
// One fault at a time, each from a whole cluster. In the end the cluster must be Healthy, every
// acknowledged row be there (semiSync) or counted as lost (async), no two servers have accepted
// writes at the same moment, and the history must tell each change of primary that a fault made,
// and no other. Prints each fault with what became of it. Exit code 1 when any of this is not so;
// the seed repeats the faults, not the scheduling of threads.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "reconciler/base/log.h"
#include "tests/support/test_cluster.h"
#include "tests/support/two_writers.h"

namespace pandora_ha {
namespace {

constexpr Seconds kWholeWithin{90};

enum class Fault {
  kKillPrimary,
  kKillReplica,
  kKillBoth,
  kFreezePrimary,  // until it is fenced
  kStallPrimary,   // shorter than the detection budget
  kFreezeReplica,
  kSwitchover,
  kSwitchoverAndKillTarget,
  kSwitchoverAndKillPrimary,
  kRestartManager,
};
constexpr int kFaults = static_cast<int>(Fault::kRestartManager) + 1;

const char* NameOf(Fault fault) {
  switch (fault) {
    case Fault::kKillPrimary:
      return "kill the primary";
    case Fault::kKillReplica:
      return "kill the replica";
    case Fault::kKillBoth:
      return "kill both";
    case Fault::kFreezePrimary:
      return "freeze the primary";
    case Fault::kStallPrimary:
      return "stall the primary for a moment";
    case Fault::kFreezeReplica:
      return "freeze the replica for 3 s";
    case Fault::kSwitchover:
      return "switchover";
    case Fault::kSwitchoverAndKillTarget:
      return "switchover, and kill its target";
    case Fault::kSwitchoverAndKillPrimary:
      return "switchover, and kill the old primary";
    case Fault::kRestartManager:
      return "restart the manager";
  }
  return "";
}

// Whether the primary must be another one afterwards.
enum class Moves { kMust, kMustNot, kMay };

Moves MovesBy(Fault fault) {
  switch (fault) {
    case Fault::kKillPrimary:
    case Fault::kFreezePrimary:
      return Moves::kMust;
    case Fault::kKillReplica:
    case Fault::kStallPrimary:
    case Fault::kFreezeReplica:
    case Fault::kRestartManager:
      return Moves::kMustNot;
    case Fault::kKillBoth:
    case Fault::kSwitchover:  // taken back when it is held up
    case Fault::kSwitchoverAndKillTarget:
    case Fault::kSwitchoverAndKillPrimary:
      return Moves::kMay;
  }
  return Moves::kMay;
}

bool IsWhole(const Snapshot& s) {
  const DurabilityMode declared = s.spec.database.replication.durability;
  return s.status.state == ClusterState::kHealthy && s.status.durability_in_force == declared &&
         std::all_of(s.status.nodes.begin(), s.status.nodes.end(), [&](const NodeStatus& node) {
           return declared == DurabilityMode::kAsync || node.name == s.status.primary ||
                  node.lossless;
         });
}

bool Diverged(const Snapshot& s) {
  return std::any_of(s.status.findings.begin(), s.status.findings.end(),
                     [](const Finding& f) { return f.code == FindingCode::kNodeDiverged; });
}

struct Tally {
  int faults = 0, moves = 0, told = 0, untrue = 0, diverged = 0;
  std::uint64_t acknowledged = 0, lost = 0, counted = 0, unaccounted = 0, cut = 0, refused = 0,
                unconnected = 0, two_writers = 0;
};

class Chaos {
 public:
  Chaos(TestedFlavor flavor, DurabilityMode durability, std::uint64_t seed)
      : flavor_(std::move(flavor)), durability_(durability), random_(seed) {}

  // False when the cluster did not become whole again.
  bool Run(Duration how_long);
  const Tally& tally() const { return tally_; }

 private:
  bool Begin();
  void End();
  bool Inject(Fault fault);
  void Carry(Fault fault);
  void Judge(Fault fault, const NodeName& before, const std::string& last_event);
  // The events after this one, which is among the newest.
  std::vector<Event> HistoryAfter(const std::string& id) const;
  std::string LastEvent() const;
  int Any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  void Sleep(int milliseconds) { usleep(static_cast<useconds_t>(milliseconds) * 1000); }

  const TestedFlavor flavor_;
  const DurabilityMode durability_;
  std::mt19937_64 random_;
  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<ClientWriter> anew_, kept_;
  std::unique_ptr<TwoWritersWatch> watch_;
  Tally tally_;
  std::uint64_t counted_ = 0;  // as lost, in this cluster
};

std::vector<Event> Chaos::HistoryAfter(const std::string& id) const {
  const auto history = cluster_->History();
  if (!history.ok()) return {};
  const auto found = std::find_if(history->begin(), history->end(),
                                  [&](const Event& event) { return event.id == id; });
  return {found == history->end() ? history->begin() : found + 1, history->end()};
}

std::string Chaos::LastEvent() const {
  const auto history = cluster_->History();
  return history.ok() && !history->empty() ? history->back().id : "";
}

bool Chaos::Begin() {
  cluster_ = std::make_unique<TestCluster>(flavor_, 2, [this](ClusterSpec& spec) {
    spec.database.detection.timeout = Milliseconds(500);
    spec.database.replication.durability = durability_;
  });
  cluster_->StartManager();
  if (!cluster_->WaitFor("a whole cluster", IsWhole, kWholeWithin)) return false;
  anew_ = cluster_->NewClient(true, Milliseconds(2));
  kept_ = cluster_->NewClient(false, Milliseconds(2));
  watch_ = std::make_unique<TwoWritersWatch>(*cluster_);
  return true;
}

// Counts what the writers of this cluster saw, and what is missing.
void Chaos::End() {
  watch_->Stop();
  tally_.two_writers += watch_->seen();
  std::uint64_t missing = 0;
  for (ClientWriter* writer : {anew_.get(), kept_.get()}) {
    const auto lost = cluster_->CountLost(*writer);
    EXPECT_TRUE(lost.ok()) << lost.error().message;
    const ClientWriterCount count = writer->Count();
    missing += lost.ok() ? *lost : 0;
    tally_.acknowledged += count.acknowledged;
    tally_.cut += count.cut;
    tally_.refused += count.refused;
    tally_.unconnected += count.unconnected;
  }
  // Transactions that nobody acknowledged are counted, too.
  const std::uint64_t excused = durability_ == DurabilityMode::kAsync ? counted_ : 0;
  tally_.lost += missing;
  tally_.counted += counted_;
  tally_.unaccounted += missing - std::min(missing, excused);
  counted_ = 0;
  watch_.reset();
  anew_.reset();
  kept_.reset();
}

void Chaos::Carry(Fault fault) {
  const NodeName primary = cluster_->Primary();
  const NodeName replica(primary.text == "node1" ? "node2" : "node1");
  switch (fault) {
    case Fault::kKillPrimary:
      return cluster_->Signal(primary, SIGKILL);
    case Fault::kKillReplica:
      return cluster_->Signal(replica, SIGKILL);
    case Fault::kKillBoth:
      cluster_->Signal(primary, SIGKILL);
      Sleep(Any(300));
      return cluster_->Signal(replica, SIGKILL);
    case Fault::kFreezePrimary:
      return cluster_->Signal(primary, SIGSTOP);
    case Fault::kStallPrimary:
      cluster_->Signal(primary, SIGSTOP);
      Sleep(100 + Any(500));
      return cluster_->Signal(primary, SIGCONT);
    case Fault::kFreezeReplica:
      cluster_->Signal(replica, SIGSTOP);
      Sleep(3000);
      return cluster_->Signal(replica, SIGCONT);
    case Fault::kSwitchover:
      cluster_->WaitForEnd(cluster_->HandIn(Switchover{}));
      return;
    case Fault::kSwitchoverAndKillTarget:
    case Fault::kSwitchoverAndKillPrimary: {
      const std::string id = cluster_->HandIn(Switchover{});
      Sleep(Any(150));
      cluster_->Signal(fault == Fault::kSwitchoverAndKillTarget ? replica : primary, SIGKILL);
      cluster_->WaitForEnd(id);
      return;
    }
    case Fault::kRestartManager:
      cluster_->StopManager();
      Sleep(Any(1500));
      return cluster_->StartManager();
  }
}

// The history since the fault must tell a change exactly when there was one, and why.
void Chaos::Judge(Fault fault, const NodeName& before, const std::string& last_event) {
  const NodeName after = cluster_->Primary();
  const bool moved = after != before;
  int done = 0;
  std::string story;
  for (const Event& event : HistoryAfter(last_event)) {
    const std::string& reason = event.reason;
    if (reason == "FailoverDone" || reason == "SwitchoverDone") ++done;
    if (reason != "FindingRaised" && reason != "FindingCleared" && reason != "StateChanged")
      story += " " + reason + (event.about ? "(" + event.about->text + ")" : "");
  }
  const Moves moves = MovesBy(fault);
  const bool expected = moves == Moves::kMay || moved == (moves == Moves::kMust);
  // There and back within one fault is told twice.
  const bool told = (done % 2 == 1) == moved;
  tally_.moves += moved ? 1 : 0;
  tally_.told += told ? 1 : 0;
  tally_.untrue += told && expected ? 0 : 1;
  std::printf("%s%4d %-40s %s -> %s |%s\n", told && expected ? "" : "UNTRUE ", tally_.faults,
              NameOf(fault), before.text.c_str(), after.text.c_str(), story.c_str());
}

bool Chaos::Inject(Fault fault) {
  Sleep(200 + Any(800));
  const NodeName before = cluster_->Primary();
  const std::string last_event = LastEvent();
  ++tally_.faults;
  const TimePoint injected = SystemClock().Now().mono;
  Carry(fault);
  Sleep(500);
  const bool settled = cluster_->WaitFor(
      std::string("whole after: ") + NameOf(fault),
      [&](const Snapshot& s) {
        return s.times.began > injected + Milliseconds(500) && (IsWhole(s) || Diverged(s));
      },
      kWholeWithin);
  Judge(fault, before, last_event);
  if (!settled) return false;
  // Else the next failover, which has no proof of a death, would be too soon.
  cluster_->WaitForEnd(cluster_->HandIn(Acknowledge{}));
  if (!Diverged(*cluster_->Last())) return true;
  // The documented end: rows that the primary lacks wait for a person on the old one.
  const std::optional<Loss> loss = cluster_->Last()->decision.memory.loss;
  if (loss && loss->exact) counted_ += loss->count;
  ++tally_.diverged;
  End();
  cluster_.reset();
  return Begin();
}

bool Chaos::Run(Duration how_long) {
  const Deadline deadline(SystemClock(), how_long);
  if (!Begin()) return false;
  while (!deadline.passed()) {
    if (!Inject(static_cast<Fault>(Any(kFaults)))) return false;
  }
  const bool healthy = cluster_->WaitFor("Healthy in the end", IsWhole, kWholeWithin);
  End();
  return healthy;
}

int Misuse() {
  std::fprintf(stderr,
               "usage: chaos [--minutes N] [--seed S] [--flavor mariadb|mysql|mariadb-11.8]\n"
               "             [--durability semiSync|async]\n");
  return 2;
}

int Main(int argc, char** argv) {
  double minutes = 5;
  std::uint64_t seed = std::random_device()();
  std::string flavor = "mariadb", durability = "semiSync";
  for (int i = 1; i < argc; i += 2) {
    const std::string word = argv[i];
    if (i + 1 == argc) return Misuse();
    if (word == "--minutes") {
      minutes = std::atof(argv[i + 1]);
    } else if (word == "--seed") {
      seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (word == "--flavor") {
      flavor = argv[i + 1];
    } else if (word == "--durability") {
      durability = argv[i + 1];
    } else {
      return Misuse();
    }
  }
  const bool semi_sync = durability == "semiSync";
  if (minutes <= 0 || (!semi_sync && durability != "async")) return Misuse();
  const auto found = FindFlavor(flavor == "mysql"          ? "MySQL"
                                : flavor == "mariadb-11.8" ? "MariaDB118"
                                                           : "MariaDB");
  if (!found) {
    std::fprintf(stderr, "chaos: no server of %s is named in the environment\n", flavor.c_str());
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  SetLogLevel(LogLevel::kError);
  std::printf("chaos: %s, %s, %.1f minutes, seed %llu\n", flavor.c_str(), durability.c_str(),
              minutes, static_cast<unsigned long long>(seed));
  Chaos chaos(*found, semi_sync ? DurabilityMode::kSemiSync : DurabilityMode::kAsync, seed);
  const bool whole = chaos.Run(Duration(static_cast<std::int64_t>(minutes * 60e6)));
  const Tally& tally = chaos.tally();
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "chaos: %s, seed %llu: %d faults, %d changes of primary, %d told untruly; %llu rows "
      "acknowledged, %llu lost, %llu counted as lost, %llu unaccounted; %llu moments with two "
      "writers; clients saw "
      "%llu cut, %llu refused, %llu unconnected; %d clusters made anew after a divergence; in the "
      "end %s\n",
      flavor.c_str(), number(seed), tally.faults, tally.moves, tally.untrue,
      number(tally.acknowledged), number(tally.lost), number(tally.counted),
      number(tally.unaccounted), number(tally.two_writers), number(tally.cut),
      number(tally.refused), number(tally.unconnected), tally.diverged,
      whole ? "Healthy" : "NOT HEALTHY");
  const bool good = whole && tally.unaccounted == 0 && tally.untrue == 0 && tally.two_writers == 0;
  return good && !::testing::Test::HasFailure() ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha

int main(int argc, char** argv) {
  return pandora_ha::Main(argc, argv);
}
