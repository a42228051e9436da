#include "reconciler/spec/secrets.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
using testing::Not;

SecretSource InFile(const std::string& path) {
  SecretSource source;
  source.file = path;
  return source;
}

SecretSource InEnvironment(const std::string& name) {
  SecretSource source;
  source.environment = name;
  return source;
}

TEST(Secrets, AreTheFirstLineOfAFile) {
  const ScratchDirectory scratch;
  EXPECT_EQ(ResolveSecret(InFile(scratch.Write("a", "hunter2\nrest\n")))->Reveal(), "hunter2");
  EXPECT_EQ(ResolveSecret(InFile(scratch.Write("b", "hunter2")))->Reveal(), "hunter2");
  EXPECT_EQ(ResolveSecret(InFile(scratch.Write("c", "with space \r\n", 0640)))->Reveal(),
            "with space ");
}

void ExpectError(const SecretSource& source, ErrorCode code, const std::string& text) {
  const Result<Secret> secret = ResolveSecret(source);
  ASSERT_FALSE(secret.ok());
  EXPECT_EQ(secret.error().code, code) << secret.error().message;
  EXPECT_THAT(secret.error().message, HasSubstr(text));
  EXPECT_THAT(secret.error().message, Not(HasSubstr("hunter2")));
}

TEST(Secrets, RefuseAFileThatEveryoneMayRead) {
  const ScratchDirectory scratch;
  const std::string path = scratch.Write("open", "hunter2\n", 0644);
  ExpectError(InFile(path), ErrorCode::kRefused, "chmod o= " + path);
}

TEST(Secrets, SayWhatIsWrongWithAFile) {
  const ScratchDirectory scratch;
  ExpectError(InFile(scratch.Path("none")), ErrorCode::kNotFound,
              scratch.Path("none") + ": No such file");
  ExpectError(InFile(scratch.Write("empty", "")), ErrorCode::kInvalid, "is empty");
  ExpectError(InFile(scratch.Write("blank", "\nhunter2\n")), ErrorCode::kInvalid, "is empty");
  ExpectError(InFile(scratch.Write("long", std::string(5000, 'x'))), ErrorCode::kInvalid,
              "more than 1024 bytes");
  ExpectError(InFile(scratch.Write("nul", std::string("hunter2\0x", 9))), ErrorCode::kInvalid,
              "NUL");
  ExpectError(InFile(scratch.Path("")), ErrorCode::kInvalid, "not a regular file");
  ASSERT_EQ(mkfifo(scratch.Path("pipe").c_str(), 0600), 0);
  ExpectError(InFile(scratch.Path("pipe")), ErrorCode::kInvalid, "not a regular file");
}

TEST(Secrets, NeedReadAccess) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const ScratchDirectory scratch;
  ExpectError(InFile(scratch.Write("closed", "hunter2", 0)), ErrorCode::kDenied, "read access");
}

TEST(Secrets, MayComeFromTheEnvironment) {
  setenv("PANDORA_HA_TEST_SECRET", "hunter2", 1);
  EXPECT_EQ(ResolveSecret(InEnvironment("PANDORA_HA_TEST_SECRET"))->Reveal(), "hunter2");
  setenv("PANDORA_HA_TEST_SECRET", "", 1);
  ExpectError(InEnvironment("PANDORA_HA_TEST_SECRET"), ErrorCode::kInvalid,
              "PANDORA_HA_TEST_SECRET is empty");
  unsetenv("PANDORA_HA_TEST_SECRET");
  ExpectError(InEnvironment("PANDORA_HA_TEST_SECRET"), ErrorCode::kNotFound,
              "PANDORA_HA_TEST_SECRET is not set");
}

TEST(Secrets, OfKubernetesAreNotReadHere) {
  SecretSource source;
  source.secret_name = "db";
  source.secret_key = "admin";
  ExpectError(source, ErrorCode::kUnsupported, "Secret db");
  ExpectError({}, ErrorCode::kInvalid, "nowhere");
}

}  // namespace
}  // namespace pandora_ha
