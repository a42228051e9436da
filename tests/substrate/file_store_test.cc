#include "reconciler/substrate/files/file_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pandora_ha {
namespace {

class FileStoreTest : public testing::Test {
 protected:
  FileStoreTest() {
    char name[] = "/tmp/pandora-ha-store.XXXXXX";
    directory_ = mkdtemp(name);
    store_ = *FileStore::Open(directory_ + "/state");
  }
  ~FileStoreTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  std::unique_ptr<FileStore> store_;
};

// Servers cut their messages by bytes, in the middle of a character too.
constexpr char kCut[] = "Duplicate entry 'Espa\xc3' for key 'PRIMARY'";
constexpr char kKept[] = "Duplicate entry 'Espa\xEF\xBF\xBD' for key 'PRIMARY'";

TEST_F(FileStoreTest, AnEventWithACutCharacterIsKept) {
  const Event event{"ReplicaBroken-1",
                    WallTime(Milliseconds(1795366981250)),
                    Severity::kWarning,
                    "ReplicaBroken",
                    NodeName("node2"),
                    Epoch(3),
                    kCut};
  ASSERT_TRUE(store_->AppendEvent(event).ok());
  const auto events = store_->ReadEvents(10);
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ(events->front().message, kKept);
}

TEST_F(FileStoreTest, HalfAnEventTakesNoOtherWithIt) {
  const Event event{"ReplicaBroken-1",
                    WallTime(Milliseconds(1795366981250)),
                    Severity::kWarning,
                    "ReplicaBroken",
                    NodeName("node2"),
                    Epoch(3),
                    "whole"};
  ASSERT_TRUE(store_->AppendEvent(event).ok());
  // As a full disk or a power cut leaves it.
  std::ofstream(directory_ + "/state/history.jsonl", std::ios::app) << "{\"id\":\"Replica";
  ASSERT_TRUE(store_->AppendEvent(event).ok());
  ASSERT_TRUE(store_->AppendEvent(event).ok());
  const auto events = store_->ReadEvents(10);
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->size(), 3u);
}

TEST_F(FileStoreTest, AMemoryWithACutCharacterIsKept) {
  Memory memory;
  memory.cluster = "pandora";
  memory.epoch = Epoch(3);
  memory.intents.emplace_back().says = kCut;
  ASSERT_TRUE(store_->WriteMemory(memory).ok());
  const auto read = store_->ReadMemory();
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_TRUE(*read);
  EXPECT_EQ((*read)->epoch, Epoch(3));
  EXPECT_EQ((*read)->intents.front().says, kKept);
}

}  // namespace
}  // namespace pandora_ha
