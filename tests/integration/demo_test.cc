// `pandora-ha demo`, as `./dev up` starts it: what a newcomer sees, breaks and ends.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "reconciler/mysql/session.h"
#include "reconciler/substrate/local/process.h"
#include "tests/integration/on_servers.h"
#include "tests/support/pandora_tables.h"
#include "tests/support/programs.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class Demo : public OnServers {
 protected:
  void SetUp() override {
    OnServers::SetUp();
    char made[] = "/tmp/pandora-ha-demo-XXXXXX";
    home_ = mkdtemp(made);
  }
  // A test that failed must leave no server behind.
  void TearDown() override {
    program_.reset();
    if (fs::exists(directory())) {
      EXPECT_EQ(Program({"demo", "--stop", "--directory", directory()}, home_ + "/stop.log")
                    .WaitForEnd(Seconds(60)),
                0);
    }
    if (!home_.empty()) fs::remove_all(home_);
  }

  std::string directory() const { return home_ + "/demo"; }
  std::string Said() const { return FileText(home_ + "/log"); }
  std::string History() const { return FileText(directory() + "/state/history.jsonl"); }

  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"demo", "--directory", directory(), "--flavor",
                                      mysql() ? "mysql" : "mariadb"};
    if (!flavor_->server_root.empty())
      words.insert(words.end(), {"--server-root", flavor_->server_root});
    words.insert(words.end(), more.begin(), more.end());
    program_.emplace(words, home_ + "/log");
  }
  bool WaitSaid(const std::string& text) const {
    const bool came = WaitUntil(
        "\"" + text + "\"", [&] { return Said().find(text) != std::string::npos; }, Seconds(150));
    if (!came) std::printf("%s\n", Said().c_str());
    return came;
  }
  bool KillServerOf(const NodeName& node) const {
    const std::string pid = FileText(directory() + "/nodes/" + node.text + "/server.pid");
    return kill(std::atoi(pid.c_str()), SIGKILL) == 0;
  }
  bool WaitWritten(int rows) const {
    std::string password;
    std::getline(std::ifstream(directory() + "/application.password"), password);
    return WaitUntil("rows of the writer", [&] {
      const Deadline soon(SystemClock(), Seconds(2));
      const auto session =
          Session::Connect({{"127.0.77.10", 3306}, "pandora", Secret(password), {}}, soon);
      if (!session.ok()) return false;
      const auto count = (*session)->Query(std::string("SELECT COUNT(*) FROM ") + kDemoTable, soon);
      return count.ok() && std::atoi(count->cells[0][0]->c_str()) >= rows;
    });
  }
  std::unique_ptr<Session> Admin(const std::string& host) const {
    std::string password;
    std::getline(std::ifstream(directory() + "/admin.password"), password);
    auto session = Session::Connect({{host, 3306}, "root", Secret(password), {}},
                                    Deadline(SystemClock(), Seconds(5)));
    return session.ok() ? *std::move(session) : nullptr;
  }
  bool Do(const std::string& host, const std::string& sql) const {
    const auto session = Admin(host);
    return session != nullptr && session->Execute(sql, Deadline(SystemClock(), Seconds(10))).ok();
  }
  std::string Ask(const std::string& host, const std::string& sql) const {
    const auto session = Admin(host);
    if (session == nullptr) return "";
    const auto rows = session->Query(sql, Deadline(SystemClock(), Seconds(10)));
    return rows.ok() && !rows->empty() ? rows->cells[0][0].value_or("NULL") : "";
  }
  // Servers and supervisors.
  std::size_t Running() const {
    std::size_t count = 0;
    for (const NodeName& node : {kNode1, kNode2}) {
      const std::string at = directory() + "/nodes/" + node.text;
      count +=
          FindProcesses(at)->size() + FindProcesses("--defaults-file=" + at + "/my.cnf")->size();
    }
    return count;
  }

  std::string home_;
  std::optional<Program> program_;
};
ON_SERVERS(Demo, "MariaDB", "MySQL");

TEST_P(Demo, FailsOverWithoutLossAndLeavesNothing) {
  Start();
  ASSERT_TRUE(WaitSaid("Ctrl-C ends it and removes the data"));
  EXPECT_EQ(Running(), 4u);
  ASSERT_TRUE(WaitWritten(50));
  ASSERT_TRUE(KillServerOf(kNode1));
  ASSERT_TRUE(WaitUntil("the failover",
                        [&] { return History().find("FailoverDone") != std::string::npos; }));
  program_->Signal(SIGINT);
  EXPECT_EQ(program_->WaitForEnd(Seconds(60)), 0) << Said();
  EXPECT_THAT(Said(), HasSubstr("\n0 of "));
  EXPECT_THAT(Said(), HasSubstr(" acknowledged rows lost."));
  EXPECT_EQ(Running(), 0u);
  EXPECT_FALSE(fs::exists(directory()));
}

TEST_P(Demo, KeepsItsDataWhenAskedAndGoesOnWithIt) {
  Start({"--keep"});
  ASSERT_TRUE(WaitSaid("Ctrl-C ends it and keeps the data"));
  // The terminal is closed, or the program is killed: the servers go on.
  program_->Signal(SIGKILL);
  EXPECT_EQ(program_->WaitForEnd(Seconds(10)), -1);
  EXPECT_EQ(Running(), 4u);
  fs::remove(home_ + "/log");
  Start({"--keep"});
  ASSERT_TRUE(WaitSaid("Ctrl-C ends it and keeps the data"));
  EXPECT_THAT(Said(), HasSubstr("going on with what an earlier one left"));
  program_->Signal(SIGTERM);
  EXPECT_EQ(program_->WaitForEnd(Seconds(60)), 0) << Said();
  EXPECT_EQ(Running(), 0u);
  EXPECT_TRUE(fs::exists(directory() + "/pandora-ha.yaml"));
}

// Both sides write; then the rows of one are merged into the other's, and one cluster is left, with
// the account of every row.
TEST_P(Demo, WhatBothSidesWroteIsOneClusterAgain) {
  Start();
  ASSERT_TRUE(WaitSaid("Ctrl-C ends it and removes the data"));
  ASSERT_TRUE(WaitWritten(50));
  ASSERT_TRUE(Do("127.0.77.1", std::string("USE pandora; ") + kPandoraTables));
  ASSERT_TRUE(WaitUntil("node2 has it", [&] {
    return Ask("127.0.77.2", "SELECT COUNT(*) FROM pandora.tevento") == "1";
  }));
  // The manager closes node2 again and again; all of it is one transaction.
  ASSERT_TRUE(WaitUntil("node2 writes by itself", [&] {
    return Do("127.0.77.2",
              "SET GLOBAL read_only=0; USE pandora; BEGIN; INSERT INTO tevento VALUES "
              "(2,1,'its (own)',1700000001,10); INSERT INTO tagente_datos VALUES "
              "(10,1.5,1700000001),(10,2.5,1700000002); UPDATE tevento SET evento='changed' WHERE "
              "id_evento=1; COMMIT");
  }));
  ASSERT_TRUE(
      Do("127.0.77.1", "INSERT INTO pandora.tevento VALUES (2,1,'the primary''s',1700000003,10)"));
  ASSERT_TRUE(WaitUntil("the archive",
                        [&] { return History().find("RowsArchived") != std::string::npos; }));

  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--socket", directory() + "/api.sock"});
    return Program(words, home_ + "/said").WaitForEnd(Seconds(120));
  };
  const std::vector<std::string> merge = {"merge", "node2", "--config",
                                          directory() + "/pandora-ha.yaml"};
  EXPECT_EQ(run(merge), 6) << "nobody confirms it";
  std::vector<std::string> sure = merge;
  sure.emplace_back("--yes");
  EXPECT_EQ(run(sure), 0) << FileText(home_ + "/said");
  EXPECT_THAT(FileText(home_ + "/said"),
              HasSubstr("tevento: 1 not merged: an event that both sides had"));
  EXPECT_EQ(run(sure), 0) << "once more";
  EXPECT_EQ(
      Ask("127.0.77.1", "SELECT GROUP_CONCAT(evento ORDER BY id_evento) FROM pandora.tevento"),
      "of both,the primary's,its (own)");
  EXPECT_EQ(Ask("127.0.77.1", "SELECT SUM(datos) FROM pandora.tagente_datos"), "4");
  EXPECT_EQ(run({"resync", "node2"}), 0) << FileText(home_ + "/said");
  // Its right to be promoted without loss takes another look or two.
  EXPECT_TRUE(WaitUntil("a whole cluster", [&] { return run({"status"}) == 0; }))
      << FileText(home_ + "/said");
  EXPECT_EQ(Ask("127.0.77.2", "SELECT COUNT(*) FROM pandora.tevento"), "3");
  std::printf("%s\n", FileText(home_ + "/said").c_str());

  std::vector<std::string> verify = {"verify", "node2", "--config",
                                     directory() + "/pandora-ha.yaml"};
  EXPECT_EQ(run(verify), 0) << FileText(home_ + "/said");
  EXPECT_THAT(FileText(home_ + "/said"), HasSubstr("node2 has the same rows as node1"));
  // Behind everybody's back; the demonstration writes all the time.
  ASSERT_TRUE(WaitUntil("node2 is changed", [&] {
    return Do("127.0.77.2",
              "SET GLOBAL read_only=0; SET SESSION sql_log_bin=0; UPDATE pandora.tevento SET "
              "evento='not so' WHERE id_evento=1");
  }));
  EXPECT_EQ(run(verify), 3) << FileText(home_ + "/said");
  EXPECT_THAT(FileText(home_ + "/said"), HasSubstr("id_evento 1 is not the same"));
  // With the arguments of Pandora's own script.
  EXPECT_EQ(run({"resync", "--compat", "pandora_server.conf", "127.0.77.2", "127.0.77.1"}), 5);
  EXPECT_EQ(run({"resync", "--compat", "pandora_server.conf", "127.0.77.1", "127.0.77.2"}), 0)
      << FileText(home_ + "/said");
  EXPECT_EQ(run(verify), 0) << FileText(home_ + "/said");
  verify[1] = "node1";
  EXPECT_EQ(run(verify), 2) << "it is the primary";
  program_->Signal(SIGINT);
  EXPECT_EQ(program_->WaitForEnd(Seconds(60)), 0) << Said();
  EXPECT_THAT(Said(), HasSubstr("\n0 of "));
}

TEST_P(Demo, SaysWhatIsInItsWayAndLeavesNothingRunning) {
  for (const auto& [host, port] : {std::pair{"127.0.77.10", 3306}, {"127.0.0.1", 8480}}) {
    const Descriptor taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, host, &at.sin_addr);
    const int again = 1;
    setsockopt(taken.get(), SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
    ASSERT_EQ(bind(taken.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(listen(taken.get(), 1), 0);
    fs::remove(home_ + "/log");
    Start();
    EXPECT_EQ(program_->WaitForEnd(Seconds(60)), 1) << Said();
    EXPECT_THAT(Said(), HasSubstr(std::string(host) + ":" + std::to_string(port)));
    EXPECT_EQ(Running(), 0u) << host;
  }
}

}  // namespace
}  // namespace pandora_ha
