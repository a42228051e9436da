// What status and explain print in each situation, kept as files to be read by people.
// PANDORA_HA_REWRITE_GOLDEN=1 writes them anew; look at every change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "reconciler/api/explain.h"
#include "reconciler/app/render.h"
#include "reconciler/decide/diagnose.h"
#include "tests/support/world.h"

namespace pandora_ha {
namespace {

struct Scene {
  std::string name;
  std::function<World()> make;
};
void PrintTo(const Scene& scene, std::ostream* out) {
  *out << scene.name;
}

World With(int nodes, const std::function<void(World&)>& change) {
  World world(nodes);
  change(world);
  return world;
}

// The primary is silent and nobody can end its process.
void LosePrimary(World& w) {
  w.Silence(1);
  w.OutOfReach(1);
  for (std::size_t i = 2; i <= w.seen.databases.size(); ++i) w.Deaf(static_cast<int>(i));
}

std::vector<Scene> Scenes() {
  return {
      {"healthy", [] { return World(); }},
      {"healthy_three_nodes", [] { return World(3); }},
      {"healthy_async",
       [] {
         return With(2, [](World& w) {
           w.spec.database.replication.durability = DurabilityMode::kAsync;
           w.memory.durability_in_force = DurabilityMode::kAsync;
           w.state(1).semi_sync = {};
           w.state(2).semi_sync = {};
           w.remembered(2).lossless = false;
         });
       }},
      {"failing_over",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.state(2).replication->io = ThreadState::kStopped;
         });
       }},
      {"failed_over",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.memory.epoch = Epoch(4);
           w.memory.primary = NodeName("node2");
           w.memory.durability_in_force = DurabilityMode::kAsync;
           w.memory.primary_waited = false;
           w.remembered(1).deposed = true;
           w.remembered(2).lossless = false;
           DatabaseState& state = w.state(2);
           state.writable = true;
           state.replication.reset();
           state.semi_sync = {};
           state.heartbeat = HeartbeatSeen{Epoch(4), NodeName("node2"), w.seen.taken_at.wall};
           w.seen.publication = {NodeName("node2"), Epoch(4), ""};
         });
       }},
      {"replica_down", [] { return With(2, [](World& w) { w.Kill(2, "exit code 1"); }); }},
      {"replica_broken",
       [] {
         return With(3, [](World& w) {
           w.state(3).replication->sql = ThreadState::kStopped;
           w.state(3).replication->sql_errno = 1062;
           w.state(3).replication->sql_error = "Duplicate entry '7' for key 'PRIMARY'";
           w.state(3).replication->lag.reset();
         });
       }},
      {"replica_lagging",
       [] {
         return With(2, [](World& w) {
           w.state(2).replication->lag = Seconds(400);
           w.state(2).replication->applied_all = false;
         });
       }},
      {"first_start_waits",
       [] {
         return With(2, [](World& w) {
           w.memory.primary.reset();
           w.memory.epoch = Epoch(0);
           w.state(1).writable = false;
           w.state(1).heartbeat.reset();
           w.Silence(2, Contact::kRefusedPort, "connection refused");
           w.OutOfReach(2);
           w.seen.publication = {};
         });
       }},
      {"all_lost",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.Kill(2);
         });
       }},
      {"unknown",
       [] {
         return With(2, [](World& w) {
           LosePrimary(w);
           w.Silence(2, Contact::kUnroutable, "No route to host");
           w.OutOfReach(2);
         });
       }},
      {"blocked_GatheringEvidence",
       [] {
         return With(2, [](World& w) {
           w.Silence(1, Contact::kSilent, "no answer within 1 s", 1);
           w.OutOfReach(1);
         });
       }},
      {"blocked_StillReplicating",
       [] {
         return With(2, [](World& w) {
           w.Silence(1);
           w.OutOfReach(1);
         });
       }},
      {"blocked_RestartAllowance",
       [] {
         return With(2, [](World& w) {
           w.spec.database.restart.allow = Seconds(30);
           w.Kill(1);
           w.node(1).process.mutable_value()->restart_inhibited = false;
         });
       }},
      {"blocked_NoCandidate",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.node(1).can_fence = false;
           w.state(2).gtid_on = false;
         });
       }},
      {"blocked_AmbiguousCandidates",
       [] {
         return With(3, [](World& w) {
           w.Kill(1);
           w.state(2).replication->received = *GtidSet::Parse(Flavor::kMariaDb, "0-1-100,0-2-101");
           w.state(3).replication->received = *GtidSet::Parse(Flavor::kMariaDb, "0-1-100,0-3-101");
         });
       }},
      {"blocked_NotAllLocked",
       [] {
         return With(3, [](World& w) {
           w.Kill(1);
           using Holder = ManagerLockSeen::Holder;
           w.state(2).manager_lock.holder = Holder::kOurs;
           w.state(3).manager_lock = {Holder::kOther, 17, "pandora_ha@10.0.0.9:4711"};
         });
       }},
      {"blocked_UnprovenFence", [] { return With(2, LosePrimary); }},
      {"blocked_NoWitness",
       [] {
         return With(2, [](World& w) {
           LosePrimary(w);
           w.spec.failover_policy = FailoverPolicy::kWitness;
           w.node(1).self_fencing = true;
           w.seen.witnesses = {{NodeName("pandora3"),
                                Seen<bool>::Unknown("it does not answer", w.seen.taken_at.mono),
                                {},
                                true}};
         });
       }},
      {"switchover_under_way",
       [] {
         return With(2, [](World& w) {
           Intent intent;
           intent.id = "intent-1";
           intent.by = "ana";
           intent.reason = "upgrade";
           intent.asked_at = w.seen.taken_at.wall - Seconds(1);
           intent.wish = Switchover{NodeName("node2"), false};
           w.seen.intents = {intent};
         });
       }},
      {"blocked_LeaseRunning",
       [] {
         return With(2, [](World& w) {
           LosePrimary(w);
           w.spec.failover_policy = FailoverPolicy::kWitness;
           w.node(1).self_fencing = true;
           w.node(1).unanswered_since = w.seen.taken_at.mono - Seconds(5);
           w.remembered(1).unanswered_since = w.node(1).unanswered_since;
           w.seen.witnesses = {
               {NodeName("pandora3"), Seen<bool>::Known(false, w.seen.taken_at.mono), {}, true}};
         });
       }},
      {"blocked_MayLoseRows",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.node(1).can_fence = false;
           w.remembered(2).lossless = false;
         });
       }},
      {"blocked_Suspended",
       [] {
         return With(2, [](World& w) {
           w.spec.suspend = true;
           w.Kill(1);
         });
       }},
      {"blocked_Paused",
       [] {
         return With(2, [](World& w) {
           w.memory.guards.paused = Guard{"ana", "new disk", w.seen.taken_at.wall - Seconds(600),
                                          w.seen.taken_at.wall + Seconds(3600)};
           w.Kill(1);
         });
       }},
      {"blocked_GuardsUnread",
       [] {
         return With(2, [](World& w) {
           w.state(2).unread_guards = UnreadGuards{{Epoch(3), 4},
                                                   "the document has format 2, and this version "
                                                   "reads format 1"};
           w.Kill(1);
         });
       }},
      {"blocked_CoolDown",
       [] {
         return With(2, [](World& w) {
           w.spec.failover_policy = FailoverPolicy::kAvailability;
           w.memory.failed_over_at = w.seen.taken_at.mono - Seconds(60);
           LosePrimary(w);
         });
       }},
      {"blocked_SplitBrain",
       [] {
         return With(2, [](World& w) {
           w.memory.primary.reset();
           w.state(2).writable = true;
           w.state(2).replication.reset();
         });
       }},
      {"blocked_EpochAhead",
       [] {
         return With(2, [](World& w) {
           w.Kill(1);
           w.state(2).heartbeat = HeartbeatSeen{Epoch(9), NodeName("node1"), w.seen.taken_at.wall};
         });
       }},
      {"blocked_AccessDenied",
       [] {
         return With(2, [](World& w) {
           w.Silence(1, Contact::kDenied, "Access denied for user 'root'@'127.0.0.1'");
         });
       }},
      {"split_brain",
       [] {
         return With(2, [](World& w) {
           w.state(2).writable = true;
           w.state(2).replication.reset();
           w.state(2).executed = *GtidSet::Parse(Flavor::kMariaDb, "0-1-100,0-2-103");
           w.remembered(2).history = History::kDiverged;
           w.remembered(2).errant = w.state(2).executed.Subtract(w.state(1).executed);
         });
       }},
      {"publication_failed",
       [] {
         return With(2, [](World& w) {
           w.seen.publication.problem =
               "The hosts file /var/spool/pandora/data_in/conf/pandora_ha_hosts.conf cannot be "
               "written: No space left on device.";
         });
       }},
      {"step_failed",
       [] {
         return With(2, [](World& w) {
           w.Kill(2);
           w.report.complete = false;
           w.report.steps = {
               {"", StepOutcome::kDone, "", Milliseconds(2)},
               {"start the server of node2", StepOutcome::kFailed,
                "Cannot create /var/lib/x: No space left on device.", Milliseconds(31)}};
         });
       }},
  };
}

std::string Render(const World& world) {
  Snapshot snapshot = world.Pin();
  if (!world.report.steps.empty()) {
    for (std::size_t i = 0; i < snapshot.report.steps.size(); ++i)
      snapshot.report.steps[i].step = Describe(snapshot.decision.plan.steps.at(i).action);
    snapshot.status = StatusOf(snapshot.spec, snapshot.seen, snapshot.decision, snapshot.report);
  }
  const std::vector<Event> events =
      EventsOf(World(static_cast<int>(world.spec.database.nodes.size())).Pin().status,
               snapshot.status, snapshot.decision, snapshot.report);
  const auto status = StatusDocument(snapshot);
  return "$ pandora-ha status\n" + RenderStatus(status, false, {}) + "\n$ pandora-ha topology\n" +
         RenderTopology(status, {}) + "\n$ pandora-ha explain\n" +
         RenderExplain(ExplainDocument(snapshot, events), {});
}

class Golden : public testing::TestWithParam<Scene> {};

TEST_P(Golden, LooksAsKept) {
  const std::string path =
      std::string(PANDORA_HA_SOURCE_DIR) + "/tests/app/golden/" + GetParam().name + ".txt";
  const std::string text = Render(GetParam().make());
  if (std::getenv("PANDORA_HA_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::stringstream kept;
  kept << file.rdbuf();
  EXPECT_EQ(text, kept.str()) << path;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(Scenes()),
                         [](const auto& scene) { return scene.param.name; });

// A scene named after a reason really shows it, and no reason is without one.
TEST(GoldenScenes, EveryBlockReasonHasOne) {
  std::set<std::string> shown;
  for (const Scene& scene : Scenes()) {
    const Snapshot snapshot = scene.make().Pin();
    for (const Blocked& blocked : snapshot.status.blocked) {
      if (scene.name == "blocked_" + std::string(ToString(blocked.reason)))
        shown.insert(std::string(ToString(blocked.reason)));
    }
  }
  for (const BlockReason reason : AllBlockReasons())
    EXPECT_TRUE(shown.count(std::string(ToString(reason)))) << ToString(reason);
}

TEST(GoldenFiles, NoneIsLeftOver) {
  std::set<std::string> known;
  for (const Scene& scene : Scenes()) known.insert(scene.name + ".txt");
  const std::string folder = std::string(PANDORA_HA_SOURCE_DIR) + "/tests/app/golden";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_TRUE(known.count(entry.path().filename().string())) << entry.path();
}

}  // namespace
}  // namespace pandora_ha
