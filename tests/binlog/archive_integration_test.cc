// What a server committed by itself, kept from its real binary logs.
#include <sys/statvfs.h>

#include <fstream>

#include "reconciler/binlog/archive.h"
#include "tests/binlog/one_server.h"

namespace pandora_ha::testing {
namespace {

namespace fs = std::filesystem;

class ArchiveTest : public OneServer {
 protected:
  void SetUp() override {
    OneServer::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    Do("CREATE TABLE tevento (id INT PRIMARY KEY AUTO_INCREMENT, evento TEXT)");
    Do("INSERT INTO tevento VALUES (1,'of both')");
    Do("FLUSH BINARY LOGS");
    Do("INSERT INTO tevento VALUES (2,'of both')");
    known_ = Executed();
    Do("INSERT INTO tevento VALUES (3,'own'),(4,'own')");
    Do("FLUSH BINARY LOGS");
    Do("UPDATE tevento SET evento='own, too' WHERE id=1");
  }
  ArchiveOrder Order(const std::string& id = "node2-1") const {
    return {id,       NodeName("node2"), GetParam(), Data() + "/bin.index",
            Folder(), "pandora",         known_,     Executed().Subtract(known_)};
  }
  std::string Folder() const { return server_->directory() + "/archive"; }
  std::string Place() const { return Folder() + "/node2-1"; }
  static Result<ArchiveManifest> Make(const ArchiveOrder& order) {
    return MakeArchive(
        order, [](std::int64_t, std::int64_t) {}, SystemClock().Now().wall);
  }

  GtidSet known_;
};
ON_BOTH_SERVERS(ArchiveTest);

TEST_P(ArchiveTest, HoldsTheLogsSinceTheFirstOwnTransactionAndCountsThem) {
  std::int64_t told = 0, all = 0;
  const auto made = MakeArchive(
      Order(),
      [&](std::int64_t bytes, std::int64_t expected) {
        told = bytes;
        all = expected;
      },
      SystemClock().Now().wall);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->files.size(), 2u) << "the first log holds nothing of its own";
  EXPECT_EQ(made->divergence.transactions, 2u);
  EXPECT_EQ(made->tables.at("pandora.tevento"), (RowCounts{2, 1, 0}));
  EXPECT_EQ(told, all);
  std::uint64_t bytes = 0;
  for (const ArchivedFile& file : made->files) {
    bytes += file.bytes;
    EXPECT_EQ(fs::file_size(Place() + "/" + file.name), file.bytes);
  }
  EXPECT_EQ(static_cast<std::uint64_t>(all), bytes);
  auto read = ReadManifest(Place());
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_LT(made->made_at - read->made_at, Milliseconds(1));
  read->made_at = made->made_at;
  EXPECT_EQ(*read, *made);
  EXPECT_TRUE(VerifyArchive(Place()).ok());
  // Once more: it is there.
  const auto again = Make(Order());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->files, made->files);
}

TEST_P(ArchiveTest, OutlivesTheServersOwnLogs) {
  ASSERT_TRUE(Make(Order()).ok());
  Do("FLUSH BINARY LOGS");
  Do("PURGE BINARY LOGS TO '" + fs::path(Binlogs().back()).filename().string() + "'");
  EXPECT_TRUE(VerifyArchive(Place()).ok());
  const auto late = Make(Order("node2-2"));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kNotFound);
  EXPECT_NE(late.error().message.find("purged"), std::string::npos) << late.error().message;
  EXPECT_FALSE(fs::exists(Folder() + "/node2-2"));
}

TEST_P(ArchiveTest, WhatIsNotWholeIsNoArchive) {
  fs::create_directories(Place() + ".new");
  std::ofstream(Place() + ".new/bin.000001") << "half a log";
  EXPECT_EQ(ReadManifest(Place()).error().code, ErrorCode::kNotFound);
  const auto made = Make(Order());
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_FALSE(fs::exists(Place() + ".new"));
  EXPECT_FALSE(fs::exists(Place() + "/bin.000001")) << "what was left half done is not taken over";
}

// Ten newer ones, and ninety days: both.
TEST_P(ArchiveTest, OldOnesGoWhenManyNewerAreThere) {
  const auto made = Make(Order());
  ASSERT_TRUE(made.ok()) << made.error().message;
  std::ifstream file(Place() + "/manifest.json");
  const std::string manifest{std::istreambuf_iterator<char>(file), {}};
  const auto replaced = [](std::string text, const std::string& word, const std::string& other) {
    return text.replace(text.find(word), word.size(), other);
  };
  const WallTime now = made->made_at;
  const auto add = [&](const std::string& name, int days) {
    fs::copy(Place(), Folder() + "/" + name);
    std::ofstream(Folder() + "/" + name + "/manifest.json")
        << replaced(replaced(manifest, "node2-1\"", name + "\""), FormatWallTime(now),
                    FormatWallTime(now - Seconds(86400) * days));
  };
  add("old", 91);
  add("older", 200);
  for (int i = 0; i < 8; ++i) add("newer-" + std::to_string(i), 89 + (i == 0 ? 2 : 0));
  EXPECT_EQ(RemoveOldArchives(Folder(), now), std::vector<std::string>{"older"});
  EXPECT_EQ(ArchivesIn(Folder()).size(), kArchivesKept);
  EXPECT_EQ(ArchivesIn(Folder()).front(), "node2-1");
  EXPECT_FALSE(fs::exists(Folder() + "/older"));
  EXPECT_FALSE(fs::exists(Folder() + "/older.new"));
  add("old-too", 95);
  add("not-old", 80);
  EXPECT_EQ(RemoveOldArchives(Folder(), now), (std::vector<std::string>{"newer-0", "old-too"}));
  EXPECT_TRUE(RemoveOldArchives(Folder(), now).empty());
  EXPECT_TRUE(VerifyArchive(Place()).ok());
}

// A replica that somebody wrote to may go on following: what it received meanwhile is not its own.
TEST_P(ArchiveTest, WhatCameFromThePrimarySinceIsNotCounted) {
  const ArchiveOrder order = Order();
  Do("INSERT INTO tevento VALUES (9,'not in the order')");
  const auto made = Make(order);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->divergence.transactions, 2u);
  EXPECT_EQ(made->tables.at("pandora.tevento"), (RowCounts{2, 1, 0}));
}

TEST_P(ArchiveTest, ATamperedOneIsTold) {
  const auto made = Make(Order());
  ASSERT_TRUE(made.ok());
  const std::string file = Place() + "/" + made->files.front().name;
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(200);
    bytes.put('!');
  }
  EXPECT_EQ(VerifyArchive(Place()).error().code, ErrorCode::kInvalid);
  EXPECT_NE(VerifyArchive(Place()).error().message.find(file), std::string::npos);
  fs::remove(file);
  EXPECT_EQ(VerifyArchive(Place()).error().code, ErrorCode::kInvalid);
  std::ofstream(Place() + "/manifest.json") << "{}";
  EXPECT_EQ(ReadManifest(Place()).error().code, ErrorCode::kInvalid);
}

TEST_P(ArchiveTest, LogsThatDoNotHoldWhatTheNodeHasAreRefused) {
  ArchiveOrder order = Order();
  const std::string more =
      GetParam() == Flavor::kMySql ? server_->Sql("SELECT @@server_uuid") + ":1-99" : "0-11-99";
  order.own = order.own.Union(GtidSet::Parse(GetParam(), more)->Subtract(known_));
  const auto made = Make(order);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("do not hold"), std::string::npos) << made.error().message;
  EXPECT_EQ(ReadManifest(Place()).error().code, ErrorCode::kNotFound);
}

// A disk of 256 KiB, and a log that is larger.
TEST_P(ArchiveTest, AFullDiskIsToldBeforeAnythingIsCopied) {
  Do("INSERT INTO tevento (evento) SELECT REPEAT('x', 60000) FROM tevento a, tevento b");
  fs::create_directories(Folder());
  if (RunProgram({"/bin/mount", "-t", "tmpfs", "-o", "size=256k", "none", Folder()}) != 0)
    GTEST_SKIP() << "only root may mount";
  const auto made = Make(Order());
  EXPECT_EQ(RunProgram({"/bin/umount", Folder()}), 0);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kRefused);
  EXPECT_NE(made.error().message.find("make room"), std::string::npos) << made.error().message;
}

TEST_P(ArchiveTest, ANameIsOneName) {
  for (const std::string id : {"", "..", "../x", "a/b"})
    EXPECT_EQ(Make(Order(id)).error().code, ErrorCode::kInvalid) << id;
}

}  // namespace
}  // namespace pandora_ha::testing
