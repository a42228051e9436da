#include "reconciler/loop/beater.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>

#include "tests/support/fake_ports.h"

namespace pandora_ha {
namespace {

struct Disk {
  std::atomic<bool> full{true};
  std::atomic<int> writes{0};
};

class NodeOnDisk : public FakeNode {
 public:
  explicit NodeOnDisk(Disk& disk) : disk_(disk) {}
  Status WriteMarker(Epoch, const NodeName&, WallTime, Deadline) override {
    ++disk_.writes;
    if (disk_.full) return Error{ErrorCode::kIo, "The table is full."};
    return Ok();
  }

 private:
  Disk& disk_;
};

int Times(const std::string& what, const std::string& text) {
  int times = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

TEST(BeaterTest, ABeatThatFailsIsToldOnceAndSoIsItsReturn) {
  Disk disk;
  testing::internal::CaptureStderr();
  {
    Beater beater([&](const NodeName&) { return std::make_unique<NodeOnDisk>(disk); },
                  SystemClock(), Seconds(1));
    const Deadline deadline(SystemClock(), Seconds(10));
    const auto beat_until = [&](int writes) {
      while (disk.writes < writes && !deadline.passed()) {
        beater.Beat({NodeName("node1"), Epoch(3), true, {}, 0});
        sched_yield();
      }
    };
    beat_until(3);
    disk.full = false;
    beat_until(6);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Times("The table is full.", log), 1) << log;
  EXPECT_EQ(Times("renewed again", log), 1) << log;
}

}  // namespace
}  // namespace pandora_ha
