#include "reconciler/api/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

TEST(UnixListener, ModeIs0600WhateverTheUmask) {
  Running running;
  const mode_t before = umask(0);
  running.Start();
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(running.options.socket_path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST(UnixListener, AStaleSocketIsReplacedAndALiveOneIsNot) {
  Running running;
  const std::string path = running.options.socket_path;
  {
    auto first = UnixListener::Listen(path);
    ASSERT_TRUE(first.ok());
    const auto second = UnixListener::Listen(path);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    std::filesystem::rename(path, path + ".kept");  // as if its process were killed
  }
  std::filesystem::rename(path + ".kept", path);
  const auto nobody = ConnectUnix(path);
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code, ErrorCode::kUnreachable);
  EXPECT_TRUE(UnixListener::Listen(path).ok());
}

TEST(UnixListener, NeverRemovesWhatIsNoSocket) {
  Running running;
  std::ofstream(running.options.socket_path) << "mine";
  const auto refused = UnixListener::Listen(running.options.socket_path);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("is not a socket"));
  EXPECT_TRUE(std::filesystem::exists(running.options.socket_path));
}

TEST(UnixListener, RemovesItsPathAtItsEndAndOnlyItsOwn) {
  Running running;
  const std::string path = running.options.socket_path;
  auto first = std::make_unique<UnixListener>(std::move(*UnixListener::Listen(path)));
  std::filesystem::remove(path);
  const auto second = UnixListener::Listen(path);
  ASSERT_TRUE(second.ok());
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(UnixListener, RefusesAPathThatDoesNotFit) {
  EXPECT_FALSE(UnixListener::Listen("").ok());
  EXPECT_FALSE(UnixListener::Listen("/tmp/" + std::string(200, 'x')).ok());
}

}  // namespace
}  // namespace pandora_ha
