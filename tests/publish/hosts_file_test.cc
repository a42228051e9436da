#include "reconciler/publish/hosts_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class HostsFileTest : public testing::Test {
 protected:
  HostsFileTest() {
    std::string pattern = (fs::temp_directory_path() / "pandora-ha-hosts-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    chmod(directory_.c_str(), 02770);
    options_.path = (directory_ / "pandora_ha_hosts.conf").string();
    options_.cluster = "pandora";
    sidecar_ = (directory_ / "pandora_ha_hosts.json").string();
  }
  ~HostsFileTest() override { fs::remove_all(directory_); }

  static PublishedPrimary Primary(const char* node, const char* host, std::uint64_t epoch) {
    return {NodeName(node), {host, 3307}, Epoch(epoch)};
  }
  static std::string ReadAll(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  static mode_t Mode(const std::string& path) {
    struct stat facts {};
    return lstat(path.c_str(), &facts) == 0 ? facts.st_mode & 0777 : 0;
  }
  static ErrorCode CodeOf(const Status& status) {
    EXPECT_FALSE(status.ok());
    return status.ok() ? ErrorCode::kInternal : status.error().code;
  }

  fs::path directory_;
  HostsFileOptions options_;
  std::string sidecar_;
};

TEST_F(HostsFileTest, HoldsOneHostAndNothingElse) {
  HostsFile file(options_, SystemClock());
  EXPECT_EQ(file.Current(), PublicationSeen{});
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 3)).ok());
  EXPECT_EQ(ReadAll(options_.path), "10.0.1.11");
  EXPECT_EQ(Mode(options_.path), 0640u);
  const auto sidecar = ParseSidecar(ReadAll(sidecar_), sidecar_);
  ASSERT_TRUE(sidecar.ok());
  EXPECT_EQ(sidecar->primary, Primary("node1", "10.0.1.11", 3));
  EXPECT_EQ(sidecar->cluster, "pandora");
  EXPECT_EQ(sidecar->sha256, Sha256("10.0.1.11"));
  const PublicationSeen seen = file.Current();
  EXPECT_EQ(seen.primary, NodeName("node1"));
  EXPECT_EQ(seen.epoch, Epoch(3));
  EXPECT_EQ(seen.problem, "");
}

TEST_F(HostsFileTest, RefusesWhatPandoraWouldMisread) {
  HostsFile file(options_, SystemClock());
  for (const char* host : {"", "a,b", "a\n", "a b", "a\tb", "a/b"}) {
    EXPECT_EQ(CodeOf(file.Publish(Primary("node1", host, 1))), ErrorCode::kInvalid) << host;
  }
  EXPECT_FALSE(fs::exists(options_.path));
}

TEST_F(HostsFileTest, KeepsModeOfAnExistingFileButNotItsOpenDoor) {
  Write(options_.path, "10.0.0.1");
  chmod(options_.path.c_str(), 0666);
  HostsFile file(options_, SystemClock());
  EXPECT_THAT(file.Current().problem, HasSubstr("written by somebody else"));
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  EXPECT_EQ(Mode(options_.path), 0664u);
  EXPECT_EQ(file.Current().problem, "");
}

// Pandora's web server may write to this directory.
TEST_F(HostsFileTest, APlantedSidecarOpensNothing) {
  {
    HostsFile file(options_, SystemClock());
    ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  }
  auto planted = *ParseSidecar(ReadAll(sidecar_), sidecar_);
  planted.hosts_rights.mode = 04777;
  Write(sidecar_, PrintSidecar(planted));
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node2", "10.8.1.11", 2)).ok());
  EXPECT_EQ(Mode(options_.path), 0775u);
  planted.lease = Milliseconds(9223372036854775807);
  EXPECT_FALSE(ParseSidecar(PrintSidecar(planted), sidecar_).ok());
}

TEST_F(HostsFileTest, NeverLowersTheEpoch) {
  {
    HostsFile file(options_, SystemClock());
    ASSERT_TRUE(file.Publish(Primary("node2", "10.8.1.11", 7)).ok());
  }
  HostsFile next(options_, SystemClock());
  EXPECT_EQ(CodeOf(next.Publish(Primary("node1", "10.0.1.11", 6))), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(next.Publish(Primary("node1", "10.0.1.11", 7))), ErrorCode::kConflict);
  EXPECT_EQ(ReadAll(options_.path), "10.8.1.11");
  ASSERT_TRUE(next.Publish(Primary("node2", "10.8.1.11", 8)).ok());
  fs::remove(sidecar_);
  EXPECT_EQ(CodeOf(next.Publish(Primary("node1", "10.0.1.11", 7))), ErrorCode::kConflict);
}

TEST_F(HostsFileTest, RefusesASidecarItCannotRead) {
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  for (const char* text : {"", "{}", "[1", "{\"epoch\": -1}"}) {
    Write(sidecar_, text);
    EXPECT_EQ(CodeOf(file.Publish(Primary("node2", "10.8.1.11", 2))), ErrorCode::kInvalid) << text;
    EXPECT_THAT(file.Current().problem, HasSubstr("pandora_ha_hosts.json"));
  }
  EXPECT_EQ(ReadAll(options_.path), "10.0.1.11");
}

TEST_F(HostsFileTest, RefusesTheDirectoryOfAnotherCluster) {
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  options_.cluster = "other";
  HostsFile other(options_, SystemClock());
  EXPECT_EQ(CodeOf(other.Publish(Primary("node9", "10.9.1.11", 9))), ErrorCode::kConflict);
  EXPECT_EQ(other.Current().primary, std::nullopt);
  EXPECT_THAT(other.Current().problem, HasSubstr("another cluster"));
}

TEST_F(HostsFileTest, AWithdrawalKeepsTheLastHostForPandora) {
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Withdraw().ok());
  EXPECT_FALSE(fs::exists(sidecar_));
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 4)).ok());
  ASSERT_TRUE(file.Withdraw().ok());
  EXPECT_EQ(ReadAll(options_.path), "10.0.1.11");
  EXPECT_EQ(file.Current().primary, std::nullopt);
  EXPECT_EQ(file.Current().epoch, Epoch(4));
  EXPECT_EQ(file.Current().problem, "");
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 4)).ok());
  EXPECT_EQ(file.Current().primary, NodeName("node1"));
}

// A manager that stands by tells its own endpoint the primary, and touches no file for that which
// the one that acts has left as it should be.
TEST_F(HostsFileTest, ADrainIsEndedByAPublicationOrByItsTimeWhichNeedsNoWriting) {
  HostsFile file(options_, SystemClock());
  const auto primary = Primary("node1", "10.0.1.11", 4);
  ASSERT_TRUE(file.Publish(primary).ok());
  ASSERT_TRUE(file.Drain({}, Deadline(SystemClock(), Seconds(5))).ok());
  const std::string drained = ReadAll(sidecar_);
  ASSERT_TRUE(file.Publish(primary).ok());
  EXPECT_NE(ReadAll(sidecar_), drained);
  EXPECT_THAT(ReadAll(sidecar_), Not(HasSubstr("drain")));
  ASSERT_TRUE(file.Drain({}, Deadline(SystemClock(), {})).ok());
  usleep(1'100'000);
  const std::string left_behind = ReadAll(sidecar_);
  ASSERT_TRUE(file.Publish(primary).ok());
  EXPECT_EQ(ReadAll(sidecar_), left_behind);
}

TEST_F(HostsFileTest, ReportsAndRepairsAForeignChange) {
  HostsFile file(options_, SystemClock());
  const auto primary = Primary("node1", "10.0.1.11", 1);
  ASSERT_TRUE(file.Publish(primary).ok());
  Write(options_.path, "6.6.6.6");
  EXPECT_THAT(file.Current().problem, HasSubstr("somebody else has changed it"));
  ASSERT_TRUE(file.Publish(primary).ok());
  EXPECT_EQ(ReadAll(options_.path), "10.0.1.11");
  EXPECT_EQ(file.Current().problem, "");

  chmod(options_.path.c_str(), 0666);
  EXPECT_THAT(file.Current().problem, HasSubstr("owner, group or mode"));
  if (geteuid() == 0) {
    ASSERT_EQ(chown(options_.path.c_str(), 12345, 12345), 0);
    EXPECT_THAT(file.Current().problem, HasSubstr("owner, group or mode"));
  }
  ASSERT_TRUE(file.Publish(primary).ok());
  EXPECT_EQ(file.Current().problem, "");
  EXPECT_EQ(Mode(options_.path), 0640u);

  fs::remove(options_.path);
  EXPECT_THAT(file.Current().problem, HasSubstr("removed"));
  ASSERT_TRUE(file.Publish(primary).ok());
  EXPECT_EQ(file.Current().problem, "");
}

TEST_F(HostsFileTest, WorksForAnOrdinaryUser) {
  if (geteuid() != 0) GTEST_SKIP() << "all the other tests run as an ordinary user already";
  constexpr uid_t kNobody = 65534;
  Write(options_.path, "10.0.0.1");
  ASSERT_EQ(chown(options_.path.c_str(), 0, kNobody), 0);  // root's, and readable by the group
  chmod(options_.path.c_str(), 0640);
  ASSERT_EQ(chown(directory_.c_str(), 0, kNobody), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(1);
    HostsFile file(options_, SystemClock());
    if (!file.Publish(Primary("node1", "10.0.1.11", 1)).ok()) _exit(2);
    _exit(file.Current().problem.empty() ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(ReadAll(options_.path), "10.0.1.11");
  EXPECT_EQ(Mode(options_.path), 0640u);
}

TEST_F(HostsFileTest, FollowsNoSymbolicLink) {
  const fs::path victim = directory_ / "victim";
  Write(victim, "precious");
  const auto primary = Primary("node1", "10.0.1.11", 1);
  for (const std::string& link : {options_.path, sidecar_}) {
    fs::create_symlink(victim, link);
    HostsFile file(options_, SystemClock());
    EXPECT_EQ(CodeOf(file.Publish(primary)), ErrorCode::kRefused) << link;
    EXPECT_THAT(file.Current().problem, HasSubstr("symbolic link"));
    fs::remove(link);
  }
  for (const char* temporary : {".pandora_ha_hosts.conf.tmp", ".pandora_ha_hosts.json.tmp"}) {
    fs::create_symlink(victim, directory_ / temporary);
    HostsFile file(options_, SystemClock());
    EXPECT_TRUE(file.Publish(primary).ok());
  }
  fs::create_symlink(victim, directory_ / ".other.conf.lock");
  HostsFileOptions locked = options_;
  locked.path = (directory_ / "other.conf").string();
  EXPECT_EQ(CodeOf(HostsFile(locked, SystemClock()).Publish(primary)), ErrorCode::kIo);
  EXPECT_EQ(ReadAll(victim), "precious");

  const fs::path linked = directory_ / "linked";
  fs::create_directory_symlink(directory_, linked);
  HostsFileOptions through = options_;
  through.path = (linked / "pandora_ha_hosts.conf").string();
  EXPECT_EQ(CodeOf(HostsFile(through, SystemClock()).Publish(primary)), ErrorCode::kRefused);
}

TEST_F(HostsFileTest, RemovesWhatACrashLeft) {
  const fs::path left = directory_ / ".pandora_ha_hosts.conf.tmp";
  Write(left, "10.0.");
  Write(directory_ / ".pandora_ha_hosts.json.tmp", "{");
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Withdraw().ok()) << "nothing has been published";
  EXPECT_FALSE(fs::exists(left));
  EXPECT_FALSE(fs::exists(directory_ / ".pandora_ha_hosts.json.tmp"));
  Write(left, "10.0.");  // by another process meanwhile
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(HostsFileTest, WaitsForAnotherWriterOnlySoLong) {
  options_.lock_wait = Milliseconds(20);
  HostsFile file(options_, SystemClock());
  const Descriptor other(open((directory_ / ".pandora_ha_hosts.conf.lock").c_str(),
                              O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  EXPECT_EQ(CodeOf(file.Publish(Primary("node1", "10.0.1.11", 1))), ErrorCode::kConflict);
  ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
  EXPECT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
}

TEST_F(HostsFileTest, AFrozenWriterLosesTheLockAndReplacesNothingAfterItsThaw) {
  options_.lock_wait = Milliseconds(20);
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  const Descriptor directory = *OpenDirectory(directory_.string());
  const auto frozen = LockFile(directory, "pandora_ha_hosts.conf", Deadline(SystemClock(), {}));
  ASSERT_TRUE(frozen.ok());
  EXPECT_EQ(CodeOf(file.Publish(Primary("node2", "10.8.1.11", 2))), ErrorCode::kConflict);
  const timespec long_ago[2] = {{time(nullptr) - 6, 0}, {time(nullptr) - 6, 0}};
  ASSERT_EQ(futimens(frozen->get(), long_ago), 0);
  EXPECT_TRUE(file.Publish(Primary("node2", "10.8.1.11", 2)).ok());
  EXPECT_FALSE(StillLocks(directory, "pandora_ha_hosts.conf", *frozen));
  // What it was about to do.
  const Status thawed =
      ReplaceFile(directory, "pandora_ha_hosts.conf", "10.0.1.11", {geteuid(), getegid(), 0640},
                  Durability::kSynced, [&]() -> Status {
                    if (StillLocks(directory, "pandora_ha_hosts.conf", *frozen)) return Ok();
                    return Error{ErrorCode::kConflict, "replaced"};
                  });
  EXPECT_EQ(CodeOf(thawed), ErrorCode::kConflict);
  EXPECT_EQ(file.Current().primary, NodeName("node2"));
  EXPECT_EQ(file.Current().problem, "");
}

TEST_F(HostsFileTest, RenewsOnlyItsOwnEpoch) {
  options_.lease = Milliseconds(5000);
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  EXPECT_TRUE(file.Renew(Epoch(1), SystemClock().Now().mono).ok());
  HostsFile next(options_, SystemClock());
  ASSERT_TRUE(next.Publish(Primary("node2", "10.8.1.11", 2)).ok());
  EXPECT_EQ(CodeOf(file.Renew(Epoch(1), SystemClock().Now().mono)), ErrorCode::kConflict);
  EXPECT_EQ(CodeOf(next.Renew(Epoch(1), SystemClock().Now().mono)), ErrorCode::kConflict);
  EXPECT_TRUE(next.Renew(Epoch(2), SystemClock().Now().mono).ok());
  EXPECT_EQ(next.Current().problem, "");
}

TEST_F(HostsFileTest, RenewsWhatAnEarlierProcessPublishedAndTakesItsOwnLease) {
  ASSERT_TRUE(HostsFile(options_, SystemClock()).Publish(Primary("node1", "10.0.1.11", 1)).ok());
  const auto lease_of_sidecar = [&] { return ParseSidecar(ReadAll(sidecar_), sidecar_)->lease; };
  options_.lease = Milliseconds(5000);
  EXPECT_TRUE(HostsFile(options_, SystemClock()).Renew(Epoch(1), SystemClock().Now().mono).ok());
  EXPECT_EQ(lease_of_sidecar(), Milliseconds(5000));
  options_.lease = Milliseconds(0);  // the policy became availability
  EXPECT_TRUE(HostsFile(options_, SystemClock()).Renew(Epoch(1), SystemClock().Now().mono).ok());
  EXPECT_EQ(lease_of_sidecar(), Milliseconds(0));
}

TEST_F(HostsFileTest, WritesARenewalAtMostTenTimesALease) {
  options_.lease = Seconds(10);
  HostsFile file(options_, SystemClock());
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.1.11", 1)).ok());
  const std::string before = ReadAll(sidecar_);
  const TimePoint now = SystemClock().Now().mono;
  EXPECT_TRUE(file.Renew(Epoch(1), now).ok());
  EXPECT_EQ(ReadAll(sidecar_), before);
  EXPECT_TRUE(file.Renew(Epoch(1), now + Milliseconds(1100)).ok());
  EXPECT_NE(ReadAll(sidecar_), before);
}

TEST_F(HostsFileTest, IsNeverSeenTorn) {
  HostsFile file(options_, SystemClock());
  const std::string host_of[] = {"10.0.1.11", "node-with-a-rather-long-name.madrid.example.org"};
  ASSERT_TRUE(file.Publish(Primary("n0", host_of[0].c_str(), 1)).ok());
  std::atomic<bool> done{false};
  std::uint64_t reads = 0, bad = 0, changes = 0;
  std::thread reader([&] {
    std::string before;
    while (!done) {
      const std::string hosts = ReadAll(options_.path);
      const bool whole = hosts == host_of[0] || hosts == host_of[1];
      if (!whole || !ParseSidecar(ReadAll(sidecar_), sidecar_).ok()) ++bad;
      changes += hosts != before;
      before = hosts;
      ++reads;
    }
  });
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    const auto status =
        file.Publish(Primary(i % 2 != 0 ? "n1" : "n0", host_of[i % 2].c_str(), i + 1));
    EXPECT_TRUE(status.ok());
  }
  done = true;
  reader.join();
  EXPECT_EQ(bad, 0u);
  EXPECT_GT(reads, 1000u);
  EXPECT_GT(changes, 50u) << "the reader did not run beside the writer";
}

// Both clocks in hand.
class JumpingClock final : public Clock {
 public:
  Instant Now() const override { return now; }
  std::string BootId() const override { return "boot"; }
  Instant now{TimePoint(Seconds(1000)), WallTime(Seconds(1795366981))};
};

// The writer's clock is set back: what it wrote before lies in the future, and is written anew at
// once.
TEST_F(HostsFileTest, RenewsAfterAClockThatWasSetBackOrForth) {
  options_.lease = Seconds(15);
  JumpingClock clock;
  HostsFile file(options_, clock);
  ASSERT_TRUE(file.Publish(Primary("node1", "10.0.0.1", 1)).ok());
  for (const Seconds jump : {Seconds(-365 * 24 * 3600), Seconds(365 * 24 * 3600)}) {
    clock.now.mono += Seconds(1);
    clock.now.wall += jump;
    ASSERT_TRUE(file.Renew(Epoch(1), clock.now.mono).ok());
    EXPECT_EQ(ParseSidecar(ReadAll(sidecar_), sidecar_)->written_at, clock.now.wall);
  }
}

// A follower counts by wall time: a leap forth ends the lease, one back never makes it longer than
// it is.
TEST(KnownAt, NeverBelievesLongerThanTheLease) {
  Sidecar sidecar;
  const Instant now = JumpingClock().now;
  sidecar.lease = Seconds(15);
  sidecar.written_at = now.wall - Seconds(5);
  EXPECT_EQ(*KnownAt(sidecar, now, ""), now.mono - Seconds(5));
  EXPECT_EQ(*KnownAt(sidecar, {now.mono, now.wall - Seconds(3600)}, ""), now.mono);
  EXPECT_EQ(KnownAt(sidecar, {now.mono, now.wall + Seconds(10)}, "it").error().code,
            ErrorCode::kRefused);
}

}  // namespace
}  // namespace pandora_ha
