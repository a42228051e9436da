// What no server writes: bytes that lie.
#include "reconciler/binlog/history.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "reconciler/binlog/account.h"

namespace pandora_ha {
namespace {

std::string Little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

BinlogEvent Gtid() {
  return {EventType::kMariaGtid, 1700000000, 1, false, Little(5, 8) + Little(0, 4) + Little(0, 1)};
}

// t(a INT), as number 7.
BinlogEvent Table() {
  const std::string schema = "pandora", table = "t";
  return {EventType::kTableMap, 1700000000, 1, false,
          Little(7, 6) + Little(0, 2) + Little(schema.size(), 1) + schema + '\0' +
              Little(table.size(), 1) + table + '\0' + Little(1, 1) + "\x03" + Little(0, 1) +
              Little(0, 1)};
}

BinlogEvent Insert(const std::string& rows, std::uint64_t table = 7, std::uint64_t columns = 1,
                   char present = '\1') {
  return {EventType::kWriteRowsV1, 1700000000, 1, false,
          Little(table, 6) + Little(1, 2) + Little(columns, 1) + present + rows};
}

const std::string kRow = Little(0, 1) + Little(42, 4);

Status Told(const std::vector<BinlogEvent>& events, Divergence* sum) {
  Accountant accountant({{}, std::nullopt}, "pandora");
  HistoryReader reader(Flavor::kMariaDb, accountant);
  for (const BinlogEvent& event : events) PHA_TRY(reader.Take(event));
  *sum = accountant.Sum();
  return Ok();
}

const BinlogEvent kCommit{EventType::kXid, 1700000000, 1, false, Little(1, 8)};

TEST(HistoryReaderTest, OnlyWhatIsCommittedCounts) {
  Divergence sum;
  ASSERT_TRUE(Told({Gtid(), Table(), Insert(kRow + kRow), kCommit}, &sum).ok());
  EXPECT_EQ(sum.transactions, 1u);
  EXPECT_EQ(sum.tables.at("pandora.t").inserted, 2u);
  EXPECT_EQ(*sum.first, WallTime(Seconds(1700000000)));
  ASSERT_TRUE(Told({Gtid(), Table(), Insert(kRow)}, &sum).ok());
  EXPECT_EQ(sum, Divergence());
}

TEST(HistoryReaderTest, RowsThatCannotBeAreRefused) {
  Divergence sum;
  for (const BinlogEvent& rows : {
           Insert(kRow, 8),           // a table that nobody described
           Insert(kRow, 7, 2),        // other columns than it has
           Insert(kRow, 7, 1, '\0'),  // rows that take no place
           Insert("\x02"),            // a row that ends too early
           BinlogEvent{EventType::kWriteRowsV1, 0, 1, false, "\x07"},
       }) {
    const Status told = Told({Gtid(), Table(), rows, kCommit}, &sum);
    ASSERT_FALSE(told.ok());
    EXPECT_EQ(told.error().code, ErrorCode::kInvalid);
  }
}

TEST(HistoryReaderTest, WhatIsNotReadIsRefusedAndNotSkipped) {
  Divergence sum;
  for (const int type : {20, 26, 34, 38, 39, 40, 42, 99, 164, 165, 166, 168, 171}) {
    const Status told =
        Told({Gtid(), {static_cast<EventType>(type), 0, 1, false, ""}, kCommit}, &sum);
    ASSERT_FALSE(told.ok()) << type;
    EXPECT_EQ(told.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(told.error().message.find("which this version does not read"), std::string::npos);
  }
}

TEST(BinlogFileTest, OtherFilesAreTold) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("binlog-" + std::to_string(getpid()));
  const auto code = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    const auto opened = BinlogFile::Open(path);
    return opened.ok() ? ErrorCode::kInternal : opened.error().code;
  };
  EXPECT_EQ(code(""), ErrorCode::kInvalid);
  EXPECT_EQ(code("#!/bin/sh"), ErrorCode::kInvalid);
  EXPECT_EQ(code("\xfd"
                 "bin0000"),
            ErrorCode::kUnsupported);
  std::filesystem::remove(path);
  EXPECT_EQ(BinlogFile::Open(path).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace pandora_ha
