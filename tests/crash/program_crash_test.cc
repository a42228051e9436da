// `pandora-ha run` itself, the program that people install, is killed from outside in the middle of
// a failover and of a switchover: each time as soon as a statement by which it changes a server is
// in that server's general log. Which statements there are is told by runs without a kill.
//
// The ordinary run takes every fourth of them; PANDORA_HA_TRIALS=1 in the environment takes all.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/crash/points.h"
#include "tests/support/general_log.h"
#include "tests/support/programs.h"

namespace pandora_ha {
namespace {

constexpr Seconds kChangeWithin{20};
constexpr useconds_t kBetweenReadings = 200;

std::string FewWords(const std::string& statement) {
  std::size_t end = 0;
  for (int words = 0; words < 4 && end < statement.size(); ++words)
    end = std::min(statement.find(' ', end + 1), statement.size());
  return statement.substr(0, end);
}

// The statements by which administrators change one server, from the construction on.
class ChangesOf {
 public:
  explicit ChangesOf(std::string log) : log_(std::move(log)) {
    const std::string before = FileText(log_);
    size_before_ = before.size();
    administrators_ = ConnectionsOf("root", ReadGeneralLog(before));
  }

  // Beats go on all the time and are not of any change.
  std::vector<std::string> Now() const {
    std::ifstream file(log_);
    file.seekg(static_cast<std::streamoff>(size_before_));
    const auto log = ReadGeneralLog(
        std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
    std::set<std::uint64_t> ours = ConnectionsOf("root", log);
    ours.insert(administrators_.begin(), administrators_.end());
    std::vector<std::string> changes;
    for (const LoggedStatement& s : ChangesIn(log)) {
      const bool beat = s.text.find("pandora_ha_heartbeat") != std::string::npos;
      if (ours.contains(s.connection) && !beat) changes.push_back(FewWords(s.text));
    }
    return changes;
  }

 private:
  std::string log_;
  std::size_t size_before_ = 0;
  std::set<std::uint64_t> administrators_;
};

// A point's kind says on which server its statement is, 0: the old primary, 1: the new one; its
// number, the how many-th it is there.
class ProgramCrash : public StruckManager {
 protected:
  void Declare(ClusterSpec& spec) override {
    spec.database.configuration["general_log"] = "1";
    spec.database.configuration["general_log_file"] = "general.log";
  }
  bool StartStruckOne(Change change, const NodeName& to) override;
  void BeginChange(Change change, const NodeName& from, const NodeName& to) override;
  bool AwaitBlow(const Point& point) override;
  std::vector<Point> Performed() const override;
  void TakeOver(const Point&) override {
    EndPrograms();
    cluster_->StartManager();
  }
  void TearDown() override {
    EndPrograms();
    StruckManager::TearDown();
  }

  void Kill(Change change);

 private:
  void EndPrograms() {
    asker_.reset();
    program_.reset();
  }
  std::string ProgramsLog() const { return cluster_->directory() + "/programs.log"; }

  std::optional<Program> program_, asker_;
  std::vector<ChangesOf> changes_;
};
ON_SERVERS(ProgramCrash, "MariaDB", "MySQL");

// The cluster was whole under the last manager, whose memory this one goes on with.
bool ProgramCrash::StartStruckOne(Change, const NodeName& to) {
  program_.emplace(RunManager(*cluster_, DocumentOf(*cluster_, true)), ProgramsLog());
  const auto writer = cluster_->NewClient(true, Milliseconds(3));
  return WaitUntil("rows through the program", [&] { return writer->Count().acknowledged > 20; }) &&
         WaitUntil("the replica follows", [&] {
           const std::string rows = cluster_->Value(to, "SELECT COUNT(*) FROM pandora.trial");
           return std::atoi(rows.c_str()) > 20;
         });
}

void ProgramCrash::BeginChange(Change change, const NodeName& from, const NodeName& to) {
  changes_.clear();
  for (const NodeName& node : {from, to}) {
    changes_.emplace_back(cluster_->spec().local->directory + "/" + node.text +
                          "/data/general.log");
  }
  if (change == Change::kFailover) {
    cluster_->Signal(from, SIGSTOP);
  } else {
    asker_.emplace(std::vector<std::string>{"switchover", "--to", to.text, "--yes", "--socket",
                                            cluster_->directory() + "/api.sock"},
                   ProgramsLog());
  }
}

bool ProgramCrash::AwaitBlow(const Point& point) {
  const Deadline deadline(SystemClock(), kChangeWithin);
  const auto wanted = static_cast<std::size_t>(point.number + 1);
  while (changes_[static_cast<std::size_t>(point.kind)].Now().size() < wanted) {
    if (deadline.passed()) return false;
    usleep(kBetweenReadings);
  }
  program_.reset();
  return true;
}

std::vector<Point> ProgramCrash::Performed() const {
  std::vector<Point> points;
  for (int server = 0; server < 2; ++server) {
    int number = 0;
    for (const std::string& change : changes_[static_cast<std::size_t>(server)].Now()) {
      points.push_back({number++, crash::Where::kAfter,
                        (server == 0 ? "on the old primary: " : "on the new one: ") + change,
                        server, 0});
    }
  }
  return points;
}

void ProgramCrash::Kill(Change change) {
  std::vector<Point> points = PointsOf(change);
  ASSERT_GE(points.size(), 4u);
  const std::size_t all = points.size();
  if (std::getenv("PANDORA_HA_TRIALS") == nullptr) {
    // MySQL's general log tells what its applier does, too, so that it has many more.
    const std::size_t every = mysql() ? 26 : 4;
    std::size_t place = 0;
    std::erase_if(points, [&](const Point&) { return place++ % every != 0; });
  }
  std::printf("%s: %zu of %zu points\n", GetParam(), points.size(), all);
  Strike(change, points);
}

TEST_P(ProgramCrash, InAFailover) {
  Kill(Change::kFailover);
}
TEST_P(ProgramCrash, InASwitchover) {
  Kill(Change::kSwitchover);
}

}  // namespace
}  // namespace pandora_ha
