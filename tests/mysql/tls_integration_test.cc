// TLS: what is accepted, and that everything else is refused.
#include <filesystem>

#include "reconciler/mysql/database_node.h"
#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

class TlsTest : public OnBoth {};
ON_BOTH_SERVERS(TlsTest);

// A CA and one server certificate of it that names `address`.
class Authority {
 public:
  Authority(const std::string& name, const std::string& address) : at_(TestDirectory(name)) {
    Run({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=" + name + " CA", "-keyout", at_ + "/ca.key", "-out", at_ + "/ca.pem"});
    Run({"req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=database", "-addext",
         "subjectAltName=IP:" + address, "-keyout", at_ + "/key.pem", "-out",
         at_ + "/request.pem"});
    Run({"x509", "-req", "-in", at_ + "/request.pem", "-days", "2", "-CA", at_ + "/ca.pem",
         "-CAkey", at_ + "/ca.key", "-CAcreateserial", "-copy_extensions", "copy", "-out",
         at_ + "/cert.pem"});
  }
  ~Authority() {
    std::filesystem::remove_all(at_);
    std::error_code not_empty;
    std::filesystem::remove(std::filesystem::path(at_).parent_path(), not_empty);
  }
  std::vector<std::string> ServerArguments() const {
    return {"--ssl-ca=" + ca(), "--ssl-cert=" + at_ + "/cert.pem", "--ssl-key=" + at_ + "/key.pem"};
  }
  std::string ca() const { return at_ + "/ca.pem"; }

 private:
  static void Run(std::vector<std::string> words) {
    words.insert(words.begin(), "/usr/bin/openssl");
    EXPECT_EQ(RunProgram(words), 0);
  }
  std::string at_;
};

TlsSpec Demanding(const std::string& ca) {
  TlsSpec tls;
  tls.enabled = true;
  tls.ca_file = ca;
  return tls;
}

std::unique_ptr<DatabaseNode> TlsNode(const TestServer& server, const std::string& ca) {
  return MakeDatabaseNode(
      {{server.address(), "admin", Secret("admin-pw"), Demanding(ca)}, "pandora_test", {}});
}

TEST_P(TlsTest, OnlyTheRightAuthorityAndTheRightNameAreAccepted) {
  const Authority right("right", LoopbackAddress(1)), other("other", LoopbackAddress(1)),
      elsewhere("elsewhere", LoopbackAddress(9));
  TestServer server(GetParam(), 1, 1, right.ServerArguments());
  const Look good = TlsNode(server, right.ca())->Observe(In(Seconds(5)));
  ASSERT_EQ(good.contact, Contact::kAnswered) << good.error;
  EXPECT_NE(good.state->tls_cipher, "");

  const Look wrong_ca = TlsNode(server, other.ca())->Observe(In(Seconds(5)));
  EXPECT_EQ(wrong_ca.contact, Contact::kTlsRefused) << wrong_ca.error;
  const Look no_ca = TlsNode(server, "/nonexistent/ca.pem")->Observe(In(Seconds(5)));
  EXPECT_EQ(no_ca.contact, Contact::kTlsRefused) << no_ca.error;

  TestServer misnamed(GetParam(), 2, 2, elsewhere.ServerArguments());
  const Look wrong_name = TlsNode(misnamed, elsewhere.ca())->Observe(In(Seconds(5)));
  EXPECT_EQ(wrong_name.contact, Contact::kTlsRefused) << wrong_name.error;
}

TEST_P(TlsTest, AServerWithoutTlsIsRefused) {
  const Authority right("right", LoopbackAddress(1));
  const std::vector<std::string> off = mariadb() ? std::vector<std::string>{"--skip-ssl"}
                                                 : std::vector<std::string>{"--tls-version="};
  TestServer server(GetParam(), 1, 1, off);
  const Look look = TlsNode(server, right.ca())->Observe(In(Seconds(5)));
  EXPECT_EQ(look.contact, Contact::kTlsRefused) << look.error;
}

TEST_P(TlsTest, AFrozenServerIsSilentUnderTlsToo) {
  const Authority right("right", LoopbackAddress(1));
  TestServer server(GetParam(), 1, 1, right.ServerArguments());
  const auto node = TlsNode(server, right.ca());
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  server.Signal(SIGSTOP);
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_EQ(node->Observe(In(Milliseconds(300))).contact, Contact::kSilent);
  EXPECT_LE(SystemClock().Now().mono - began, Milliseconds(350));
  server.Signal(SIGCONT);
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
}

TEST_P(TlsTest, ReplicationIsVerifiedToo) {
  const Authority right("right", LoopbackAddress(1)), other("other", LoopbackAddress(1));
  TestServer one(GetParam(), 1, 1, right.ServerArguments());
  const auto a = TlsNode(one, right.ca());
  EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(a->OpenWritable(In(Seconds(5))));
  EXPECT_OK(Mark(*a, 1));
  // The second server's own certificate does not matter here; what it trusts does.
  const auto follow = [&](const std::string& ca, int host, const Authority& own) {
    std::vector<std::string> arguments = own.ServerArguments();
    arguments[0] = "--ssl-ca=" + ca;
    TestServer two(GetParam(), host, static_cast<ServerId>(host), arguments);
    const auto plain = NodeFor(two);
    EXPECT_FALSE(plain->Observe(In(Seconds(5))).state->replication.has_value());
    const Authority unused("unused", two.address().host);
    const auto b = MakeDatabaseNode(
        {{two.address(), "admin", Secret("admin-pw"), Demanding(own.ca())}, "pandora_test", {}});
    EXPECT_OK(b->ReplicateFrom(one.address(), TestSpec().database.credentials.replication,
                               TestPasswords().replication, In(Seconds(10))));
    EXPECT_TRUE(WaitUntil(Seconds(10), [&] {
      const DatabaseState state = StateOf(*b);
      return state.heartbeat.has_value() || state.replication->io_errno != 0;
    }));
    return StateOf(*b).heartbeat.has_value();
  };
  const Authority second("second", LoopbackAddress(2)), third("third", LoopbackAddress(3));
  EXPECT_TRUE(follow(right.ca(), 2, second));
  EXPECT_FALSE(follow(other.ca(), 3, third));
}

}  // namespace
}  // namespace pandora_ha::testing
