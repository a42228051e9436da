// One real server with a database, whose binary logs are read.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/mysql/server_fixture.h"

namespace pandora_ha {

// For the names of tests.
inline void PrintTo(Flavor flavor, std::ostream* out) {
  *out << ToString(flavor);
}

}  // namespace pandora_ha

namespace pandora_ha::testing {

class OneServer : public ::testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    if (const std::string why = WhyUnavailable(GetParam()); !why.empty()) GTEST_SKIP() << why;
    server_.emplace(GetParam(), 1, 11);
    session_ = server_->Admin();
    ASSERT_NE(session_, nullptr);
    Do("SET GLOBAL read_only=0");
    Do("CREATE DATABASE pandora CHARACTER SET utf8mb4; USE pandora");
  }
  void Do(const std::string& sql) {
    const auto done = session_->Execute(sql, In(Seconds(20)));
    ASSERT_TRUE(done.ok()) << done.error().message << "\n" << sql;
  }
  GtidSet Executed() const {
    const bool my_sql = GetParam() == Flavor::kMySql;
    return *GtidSet::Parse(GetParam(), server_->Sql(my_sql ? "SELECT @@global.gtid_executed"
                                                           : "SELECT @@gtid_binlog_state"));
  }
  std::string Data() const { return server_->directory() + "/data"; }
  std::vector<std::string> Binlogs() const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(Data())) {
      const std::string name = entry.path().filename().string();
      // Not bin.index, nor MariaDB 11's bin.000001.idx.
      const bool numbered = name.starts_with("bin.") && name.size() > 4 &&
                            name.find_first_not_of("0123456789", 4) == std::string::npos;
      if (numbered) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  std::optional<TestServer> server_;
  std::unique_ptr<Session> session_;
};

}  // namespace pandora_ha::testing

#define ON_BOTH_SERVERS(name)                                                                  \
  INSTANTIATE_TEST_SUITE_P(Servers, name, ::testing::Values(Flavor::kMariaDb, Flavor::kMySql), \
                           [](const auto& flavor) { return std::string(ToString(flavor.param)); })
