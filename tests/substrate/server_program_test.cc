#include "reconciler/substrate/local/server_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "reconciler/spec/rules.h"

namespace pandora_ha {
namespace {

ServerProgram MariaDb(int major, int minor, int patch) {
  ServerProgram program;
  program.flavor = Flavor::kMariaDb;
  program.binary = "/usr/sbin/mariadbd";
  program.version = {major, minor, patch};
  return program;
}

ServerSettings Settings() {
  ServerSettings settings;
  settings.directory = "/srv/node1";
  settings.address = {"127.0.9.1", 3306};
  settings.server_id = 7;
  return settings;
}

TEST(ServerConfiguration, BootsReadOnlyWhateverTheDocumentSays) {
  for (const char* option :
       {"read_only", "read-only", "loose_read_only", "skip-read-only", "SERVER_ID", "slave_start",
        "skip-slave-start", "datadir", "gtid-strict-mode"}) {
    ServerSettings settings = Settings();
    settings.configuration = {{option, "0"}};
    const auto text = ServerConfiguration(MariaDb(10, 11, 19), settings);
    ASSERT_FALSE(text.ok()) << option;
    EXPECT_EQ(text.error().code, ErrorCode::kInvalid);
    EXPECT_NE(text.error().message.find(option), std::string::npos) << text.error().message;
  }
}

// Or `validate` would call a document valid that `run` refuses.
TEST(ServerConfiguration, RefusesNothingThatTheDocumentsRuleAllows) {
  ServerProgram mysql = MariaDb(9, 1, 0);
  mysql.flavor = Flavor::kMySql;
  mysql.root = "/srv/root";
  mysql.share = "/srv/share";
  ServerProgram old_mysql = mysql;
  old_mysql.version = {8, 0, 20};
  int refused = 0;
  for (const ServerProgram& program : {MariaDb(10, 11, 19), mysql, old_mysql}) {
    std::istringstream lines(*ServerConfiguration(program, Settings()));
    for (std::string line; std::getline(lines, line);) {
      const std::string name = line.substr(0, line.find(' '));
      if (line.find(" = ") == std::string::npos) continue;
      ClusterSpec spec;
      spec.database.configuration = {{name, "1"}};
      ServerSettings settings = Settings();
      settings.configuration = spec.database.configuration;
      if (ServerConfiguration(program, settings).ok()) continue;
      ++refused;
      const auto broken = CheckRules(spec, TreeNode{});
      EXPECT_TRUE(std::any_of(broken.begin(), broken.end(), [](const RuleViolation& violation) {
        return violation.rule_id == "ManagedOption";
      })) << name;
    }
  }
  EXPECT_GT(refused, 40);
}

TEST(ServerConfiguration, TheDocumentWinsOverDefaultsAndSafetyOverTheDocument) {
  ServerSettings settings = Settings();
  settings.configuration = {{"innodb_buffer_pool_size", "4096M"}, {"read_onl", "0"}};
  const auto text = ServerConfiguration(MariaDb(10, 11, 19), settings);
  ASSERT_TRUE(text.ok()) << text.error().message;
  const auto ours = text->find("innodb_buffer_pool_size = \"64M\"");
  const auto theirs = text->find("innodb_buffer_pool_size = \"4096M\"");
  ASSERT_NE(ours, std::string::npos);
  EXPECT_LT(ours, theirs);
  // The last line of a kind counts, also for an abbreviated name.
  EXPECT_LT(text->find("read_onl = "), text->find("read_only = \"ON\""));
}

TEST(ServerConfiguration, RefusesWhatWouldForgeALine) {
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"general_log", "0\nread_only=0"}, {"x=1\nread_only", "0"}, {"x]", ""}, {"y", "\""}}) {
    ServerSettings settings = Settings();
    settings.configuration = {{name, value}};
    EXPECT_FALSE(ServerConfiguration(MariaDb(10, 11, 19), settings).ok()) << name;
  }
}

TEST(ServerConfiguration, RefusesADirectoryTooLongForASocket) {
  ServerSettings settings = Settings();
  settings.directory = "/" + std::string(100, 'x');
  EXPECT_FALSE(ServerConfiguration(MariaDb(10, 11, 19), settings).ok());
}

TEST(ServeCommand, DiscardsOnlyWhereTheServerKnowsHow) {
  EXPECT_TRUE(CanDiscardUnacknowledged(MariaDb(10, 11, 19)));
  EXPECT_TRUE(CanDiscardUnacknowledged(MariaDb(11, 8, 2)));
  EXPECT_FALSE(CanDiscardUnacknowledged(MariaDb(10, 11, 8)));
  EXPECT_FALSE(CanDiscardUnacknowledged(MariaDb(10, 5, 99)));
  ServerProgram mysql = MariaDb(11, 8, 2);
  mysql.flavor = Flavor::kMySql;
  EXPECT_FALSE(CanDiscardUnacknowledged(mysql));
  EXPECT_EQ(ServeCommand(MariaDb(10, 11, 19), "/srv/n", true).back(), "--init-rpl-role=SLAVE");
  EXPECT_EQ(ServeCommand(MariaDb(10, 11, 19), "/srv/n", false).back(),
            "--defaults-file=/srv/n/my.cnf");
}

TEST(InitialiseServer, KeepsThePasswordOutOfTheCommandLine) {
  ServerProgram mysql = MariaDb(9, 7, 4);
  mysql.flavor = Flavor::kMySql;
  const auto command = InitialiseServer(mysql, "/srv/n", "root", Secret("p'a\\ss"));
  ASSERT_TRUE(command.ok());
  for (const std::string& word : command->argv)
    EXPECT_EQ(word.find("p'a"), std::string::npos) << word;
  EXPECT_NE(command->after.find("'p\\'a\\\\ss'"), std::string::npos);
  EXPECT_FALSE(InitialiseServer(mysql, "/srv/n", "root", Secret("")).ok());
  EXPECT_FALSE(InitialiseServer(mysql, "/srv/n", "root", Secret("a\nSHUTDOWN;")).ok());
}

}  // namespace
}  // namespace pandora_ha
