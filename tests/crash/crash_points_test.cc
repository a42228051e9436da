// The manager's process is killed at every point of a failover and of a switchover, and started
// again. The points are those that a run without a crash performs; a crash point that was not
// reached fails the test.
#include "tests/crash/points.h"

namespace pandora_ha {
namespace {

class CrashPoints : public StruckManager {
 protected:
  void TakeOver(const Point&) override {
    cluster_->KillManagerProcess();
    cluster_->StartManager();
  }
  void RunAll(Change change) {
    const std::vector<Point> points = PointsOf(change);
    ASSERT_GE(points.size(), 15u);
    Strike(change, points);
  }
};
ON_SERVERS(CrashPoints, "MariaDB", "MySQL");

TEST_P(CrashPoints, OfAFailover) {
  RunAll(Change::kFailover);
}
TEST_P(CrashPoints, OfASwitchover) {
  RunAll(Change::kSwitchover);
}

}  // namespace
}  // namespace pandora_ha
