// The manager's process is frozen at the points of a failover and of a switchover. Another manager,
// with a state directory of its own, takes over and makes the cluster whole; then the frozen one is
// thawed in the middle of its step. From then on it changes nothing: no statement of its
// connections in the servers' general logs, no order to a supervisor, no file that Pandora reads;
// and it says that another one acts.
//
// The ordinary run takes the middle of the opening; PANDORA_HA_TRIALS=1 in the environment takes
// every point.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "reconciler/publish/sidecar.h"
#include "tests/crash/points.h"
#include "tests/support/general_log.h"

namespace pandora_ha {
namespace {

using crash::Where;

// A manager that acts has asked and beaten several times in it.
constexpr useconds_t kSeveralLooks = 700'000;

std::string Shape(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return path + " is not there";
  return path + " inode " + std::to_string(facts.st_ino) + " written " +
         std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec);
}

class FreezePoints : public StruckManager {
 protected:
  crash::Blow blow() const override { return crash::Blow::kFreeze; }
  // Under another policy a manager that takes over after the primary's death has no replica's word
  // that it holds everything, and waits for a person.
  void Declare(ClusterSpec& spec) override {
    spec.failover_policy = FailoverPolicy::kAvailability;
    spec.database.configuration["general_log"] = "1";
    spec.database.configuration["general_log_file"] = "general.log";
    endpoint_ = *spec.endpoint.listen;
  }
  std::string State() const override { return "/state" + std::to_string(run_); }
  bool MakeReady() override;
  void TakeOver(const Point& point) override;
  void JudgeStruckOne(const Point& point) override;

  void Freeze(Change change);

 private:
  struct Mark {
    NodeName node;
    std::size_t log_size = 0;
    pid_t server = 0;
    std::set<std::string> files;
  };

  std::string Directory(const NodeName& node) const {
    return cluster_->spec().local->directory + "/" + node.text;
  }
  std::string Log(const NodeName& node) const {
    return FileText(Directory(node) + "/data/general.log");
  }
  std::string History() const {
    return FileText(cluster_->directory() + State() + "/history.jsonl");
  }
  Mark MarkOf(const NodeName& node) const;
  std::vector<std::string> Published() const;
  void ExpectNothingDone(const Mark& mark, const Mark& before) const;

  Address endpoint_;
  int run_ = 0;
};
ON_SERVERS(FreezePoints, "MariaDB", "MySQL");

// Clients use the endpoint of the one that takes over.
bool FreezePoints::MakeReady() {
  Address& listen = *cluster_->spec().endpoint.listen;
  listen.port = static_cast<std::uint16_t>(endpoint_.port + 1);
  cluster_->StartSecondManager("/state" + std::to_string(run_ + 1));
  return cluster_->WaitFor("the other one stands by and knows the primary", [](const Snapshot& s) {
    return StandsBy(s) && s.status.primary && s.status.publication.primary == s.status.primary &&
           std::all_of(s.status.nodes.begin(), s.status.nodes.end(), [&](const NodeStatus& node) {
             const auto known = s.decision.memory.nodes.find(node.name);
             return node.name == s.status.primary || (known != s.decision.memory.nodes.end() &&
                                                      known->second.history == History::kContained);
           });
  });
}

void FreezePoints::TakeOver(const Point& point) {
  if (point.number < 0) cluster_->KillManagerProcess();
}

FreezePoints::Mark FreezePoints::MarkOf(const NodeName& node) const {
  Mark mark{node,
            std::filesystem::file_size(Directory(node) + "/data/general.log"),
            cluster_->ServerPid(node),
            {}};
  for (const auto& file : std::filesystem::directory_iterator(Directory(node)))
    mark.files.insert(file.path().filename().string());
  return mark;
}

std::vector<std::string> FreezePoints::Published() const {
  const std::string path = HostsFilePath(cluster_->spec());
  return {Shape(path), Shape(SidecarName(path)), FileText(path), FileText(SidecarName(path))};
}

// Who spoke while the other one was frozen is not that one: whoever changes anything afterwards
// must have spoken then, or be a client.
void FreezePoints::ExpectNothingDone(const Mark& mark, const Mark& before) const {
  const std::string all = Log(mark.node);
  const auto others =
      ConnectionsIn(ReadGeneralLog(all.substr(before.log_size, mark.log_size - before.log_size)));
  const auto administrators = ConnectionsOf("root", ReadGeneralLog(all));
  for (const LoggedStatement& change : ChangesIn(ReadGeneralLog(all.substr(mark.log_size)))) {
    const bool its_own =
        administrators.contains(change.connection) && !others.contains(change.connection);
    EXPECT_FALSE(its_own) << mark.node << ", connection " << change.connection << ": "
                          << change.text;
  }
  EXPECT_EQ(cluster_->ServerPid(mark.node), mark.server) << mark.node;
  EXPECT_EQ(MarkOf(mark.node).files, mark.files) << mark.node;
}

void FreezePoints::JudgeStruckOne(const Point& point) {
  if (point.number >= 0) {
    const Mark early1 = MarkOf(kNode1), early2 = MarkOf(kNode2);
    usleep(kSeveralLooks);
    const Mark mark1 = MarkOf(kNode1), mark2 = MarkOf(kNode2);
    const std::vector<std::string> published = Published();
    const std::size_t told = History().size();
    control_->thawed = 1;
    cluster_->SignalManagerProcess(SIGCONT);
    WaitUntil("the thawed one says that another acts",
              [&] { return History().substr(told).find("StandsBy") != std::string::npos; });
    usleep(kSeveralLooks);
    ExpectNothingDone(mark1, early1);
    ExpectNothingDone(mark2, early2);
    EXPECT_EQ(Published(), published);
    EXPECT_FALSE(StandsBy(*cluster_->Last()));
  }
  ++run_;  // the one that acts now is frozen in the next run
  *cluster_->spec().endpoint.listen = endpoint_;
}

void FreezePoints::Freeze(Change change) {
  std::vector<Point> points = PointsOf(change);
  ASSERT_GE(points.size(), 15u);
  const std::size_t all = points.size();
  if (std::getenv("PANDORA_HA_TRIALS") == nullptr) {
    const int opening = static_cast<int>(Action(OpenWritable{}).index());
    std::erase_if(points,
                  [&](const Point& p) { return p.where != Where::kInside || p.kind != opening; });
    ASSERT_FALSE(points.empty());
  }
  std::printf("%s: %zu of %zu points\n", GetParam(), points.size(), all);
  Strike(change, points);
}

TEST_P(FreezePoints, OfAFailover) {
  Freeze(Change::kFailover);
}
TEST_P(FreezePoints, OfASwitchover) {
  Freeze(Change::kSwitchover);
}

}  // namespace
}  // namespace pandora_ha
