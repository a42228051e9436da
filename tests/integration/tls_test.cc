// `tls` is declared: what is not verified is not talked to.
#include <filesystem>

#include "reconciler/substrate/local/process.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

void OpenSsl(std::vector<std::string> words) {
  words.insert(words.begin(), "/usr/bin/openssl");
  SpawnOptions options;
  options.argv = std::move(words);
  const auto done = RunToEnd(std::move(options), Deadline(SystemClock(), Seconds(20)));
  ASSERT_TRUE(done.ok()) << done.error().message;
  ASSERT_EQ(done->exit_status, 0) << done->output;
}

// A CA of its own; with a server certificate that names `addresses`.
std::string MakeCa(const std::string& at, const std::vector<std::string>& addresses) {
  std::filesystem::create_directories(at);
  OpenSsl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
           "-keyout", at + "/ca.key", "-out", at + "/ca.pem"});
  std::string names;
  for (const std::string& address : addresses) names += (names.empty() ? "IP:" : ",IP:") + address;
  if (!names.empty()) {
    OpenSsl({"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=database", "-addext",
             "subjectAltName=" + names, "-keyout", at + "/key.pem", "-out", at + "/request.pem"});
    OpenSsl({"x509", "-req", "-in", at + "/request.pem", "-days", "2", "-CA", at + "/ca.pem",
             "-CAkey", at + "/ca.key", "-CAcreateserial", "-copy_extensions", "copy", "-out",
             at + "/cert.pem"});
  }
  return at + "/ca.pem";
}

std::string Beside(const ClusterSpec& spec) {
  return std::filesystem::path(spec.local->directory).parent_path();
}

class Tls : public OnServers {};
ON_SERVERS(Tls, "MariaDB", "MySQL");

TEST_P(Tls, VerifiedItWorksAndAnotherAuthorityIsRefused) {
  TestCluster cluster(*flavor_, 2, [](ClusterSpec& spec) {
    DatabaseSpec& database = spec.database;
    const std::string at = Beside(spec) + "/right";
    database.tls.enabled = true;
    database.tls.ca_file = MakeCa(at, {database.nodes[0].address, database.nodes[1].address});
    database.configuration = {{"ssl_ca", database.tls.ca_file},
                              {"ssl_cert", at + "/cert.pem"},
                              {"ssl_key", at + "/key.pem"}};
  });
  cluster.StartManager();
  ASSERT_TRUE(WaitWhole(cluster));
  for (const DatabaseSeen& node : cluster.Last()->seen.databases)
    EXPECT_NE(node.state->tls_cipher, "") << node.name;
  const auto writer = cluster.NewWriter();
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  cluster.Signal(kNode1, SIGKILL);
  ASSERT_TRUE(cluster.WaitFor("node2 is primary", [](const Snapshot& s) {
    return s.status.primary == kNode2 && !s.decision.memory.promotion;
  }));
  ASSERT_TRUE(WaitAcknowledged(*writer, 50));
  ASSERT_TRUE(WaitWhole(cluster));
  EXPECT_EQ(ExpectNothingLost(GetParam(), *writer).refused, 0u);

  const Epoch before = cluster.Last()->status.epoch;
  const std::string right = cluster.spec().database.tls.ca_file;
  cluster.StopManager();
  cluster.spec().database.tls.ca_file = MakeCa(cluster.directory() + "/other", {});
  cluster.StartManager();
  ASSERT_TRUE(cluster.WaitFor("TlsRefused for both", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kTlsRefused, kNode1) &&
           HasFinding(s, FindingCode::kTlsRefused, kNode2) &&
           HasBlock(s, BlockReason::kAccessDenied);
  }));
  const std::uint64_t looks = cluster.Last()->counters.looks;
  ASSERT_TRUE(cluster.WaitFor("more looks", [&](const Snapshot& s) {
    EXPECT_TRUE(s.decision.plan.empty()) << s.decision.plan.purpose;
    return s.counters.looks >= looks + 20;
  }));
  EXPECT_EQ(cluster.Last()->status.epoch, before);
  cluster.spec().database.tls.ca_file = right;
  EXPECT_EQ(cluster.Value(kNode2, "SELECT @@global.read_only"), "0");
}

TEST_P(Tls, AServerWithoutItNeverGetsASession) {
  TestCluster cluster(*flavor_, 2, [this](ClusterSpec& spec) {
    DatabaseSpec& database = spec.database;
    database.tls.enabled = true;
    database.tls.ca_file = MakeCa(Beside(spec) + "/right", {});
    if (mysql()) {
      database.configuration = {{"tls_version", ""}};  // else it makes itself a certificate
    } else {
      database.configuration = {{"ssl", "OFF"}};
    }
    database.configuration["general_log"] = "ON";
    database.configuration["general_log_file"] = "sessions.log";
  });
  cluster.StartManager();
  ASSERT_TRUE(cluster.WaitFor("TlsRefused for both", [](const Snapshot& s) {
    return HasFinding(s, FindingCode::kTlsRefused, kNode1) &&
           HasFinding(s, FindingCode::kTlsRefused, kNode2);
  }));
  const std::uint64_t looks = cluster.Last()->counters.looks;
  ASSERT_TRUE(cluster.WaitFor("more looks",
                              [&](const Snapshot& s) { return s.counters.looks >= looks + 20; }));
  EXPECT_FALSE(cluster.Last()->status.primary);
  EXPECT_EQ(cluster.Last()->status.epoch, Epoch());
  // The server logs each account that shows up, with or without the right password.
  for (const NodeName& node : {kNode1, kNode2}) {
    const std::string log =
        FileText(cluster.spec().local->directory + "/" + node.text + "/data/sessions.log");
    EXPECT_NE(log.find("started with"), std::string::npos) << "the log is where we look: " << log;
    EXPECT_EQ(log.find("Connect\t"), std::string::npos) << log;
  }
  // So that the log would have told: a session without TLS is possible there.
  cluster.StopManager();
  cluster.spec().database.tls = {};
  EXPECT_EQ(cluster.Value(kNode1, "SELECT 1"), "1");
  EXPECT_NE(
      FileText(cluster.spec().local->directory + "/node1/data/sessions.log").find("Connect\t"),
      std::string::npos);
}

}  // namespace
}  // namespace pandora_ha
