// A real process that is really stopped.
#include "reconciler/loop/pulse.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pandora_ha {
namespace {

constexpr Duration kLongest = Milliseconds(400);

// In the child: 0 when the stop was noticed at once, once, and not before it happened.
int Judge() {
  const Clock& clock = SystemClock();
  Pulse pulse(clock, kLongest);
  const TimePoint before = clock.Now().mono;
  usleep(100'000);
  if (pulse.MissedSince(before)) return 1;
  raise(SIGSTOP);
  if (!pulse.MissedSince(before)) return 2;
  const TimePoint after = clock.Now().mono;
  usleep(100'000);
  if (pulse.MissedSince(after)) return 3;
  return pulse.MissedSince(before) ? 0 : 4;
}

TEST(PulseTest, AStopIsNoticedBeforeAnythingElseIsDone) {
  const pid_t child = fork();
  if (child == 0) _exit(Judge());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status)) << status;
  usleep(600'000);
  kill(child, SIGCONT);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace pandora_ha
