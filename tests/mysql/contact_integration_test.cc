// How a failed look is told: by real servers, sockets and processes.
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reconciler/mysql/database_node.h"
#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

class ContactTest : public OnBoth {};
ON_BOTH_SERVERS(ContactTest);

Milliseconds Took(TimePoint began) {
  return std::chrono::duration_cast<Milliseconds>(SystemClock().Now().mono - began);
}

std::unique_ptr<DatabaseNode> NodeAt(const Address& address,
                                     const std::string& password = "admin-pw") {
  return MakeDatabaseNode({{address, "admin", Secret(password), {}}, "pandora_test", {}});
}

TEST_P(ContactTest, WrongPasswordIsDenied) {
  TestServer server(GetParam(), 1, 1);
  const Look look = NodeAt(server.address(), "wrong-password")->Observe(In(Seconds(5)));
  EXPECT_EQ(look.contact, Contact::kDenied) << look.error;
  EXPECT_FALSE(look.state.has_value());
  EXPECT_EQ(look.error.find("wrong-password"), std::string::npos);
}

TEST_P(ContactTest, MissingPrivilegeIsDenied) {
  TestServer server(GetParam(), 1, 1);
  server.Sql("SET GLOBAL read_only=0; CREATE USER 'poor'@'%' IDENTIFIED BY 'x'");
  const auto node =
      MakeDatabaseNode({{server.address(), "poor", Secret("x"), {}}, "pandora_test", {}});
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kDenied);
}

TEST_P(ContactTest, FullConnectionTableIsBusy) {
  TestServer server(GetParam(), 1, 1, {"--max-connections=10"});
  std::vector<std::unique_ptr<Session>> held;
  // One more than the limit: the last place is for administrators.
  for (int i = 0; i < 11; ++i) held.push_back(server.Admin());
  const Look look = NodeAt(server.address())->Observe(In(Seconds(5)));
  EXPECT_EQ(look.contact, Contact::kBusy) << look.error;
}

TEST_P(ContactTest, FrozenServerIsSilentByTheDeadline) {
  TestServer server(GetParam(), 1, 1);
  const auto connected = NodeAt(server.address());
  EXPECT_EQ(connected->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  server.Signal(SIGSTOP);
  TimePoint began = SystemClock().Now().mono;
  EXPECT_EQ(connected->Observe(In(Milliseconds(300))).contact, Contact::kSilent);
  EXPECT_GE(Took(began), Milliseconds(299));
  EXPECT_LE(Took(began), Milliseconds(350));
  EXPECT_EQ(connected->WatchDescriptor(), -1);
  // The kernel still accepts; only the greeting is missing.
  began = SystemClock().Now().mono;
  const auto fresh = NodeAt(server.address());
  EXPECT_EQ(fresh->Observe(In(Milliseconds(300))).contact, Contact::kSilent);
  EXPECT_GE(Took(began), Milliseconds(299));
  EXPECT_LE(Took(began), Milliseconds(350));
  server.Signal(SIGCONT);
  EXPECT_EQ(connected->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  EXPECT_EQ(fresh->Observe(In(Seconds(5))).contact, Contact::kAnswered);
}

TEST_P(ContactTest, KilledServerHangsUpOnTheWatchedDescriptor) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeAt(server.address());
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  pollfd watched{node->WatchDescriptor(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&watched, 1, 50), 0);
  const TimePoint began = SystemClock().Now().mono;
  server.Signal(SIGKILL);
  EXPECT_EQ(poll(&watched, 1, 5000), 1);
  EXPECT_NE(watched.revents & (POLLRDHUP | POLLHUP), 0);
  std::cout << ToString(GetParam()) << ": hang-up " << Took(began).count() << " ms after kill -9\n";
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kHungUp);
  server.Kill();
  EXPECT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kRefusedPort);
  EXPECT_EQ(node->WatchDescriptor(), -1);
}

TEST(ContactWithoutServerTest, ClosedPortIsRefused) {
  const TimePoint began = SystemClock().Now().mono;
  const Look look = NodeAt({LoopbackAddress(1), 3306})->Observe(In(Seconds(5)));
  EXPECT_EQ(look.contact, Contact::kRefusedPort) << look.error;
  EXPECT_LT(Took(began), Milliseconds(100));
}

// A peer that accepts and says nothing.
class FakePeer {
 public:
  FakePeer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at);
    listen(listener_, 4);
    socklen_t size = sizeof at;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    address_ = {"127.0.0.1", ntohs(at.sin_port)};
  }
  ~FakePeer() { close(listener_); }
  Address address() const { return address_; }
  int descriptor() const { return listener_; }

 private:
  int listener_;
  Address address_;
};

TEST(ContactWithoutServerTest, SilentPeerIsSilentByTheDeadline) {
  FakePeer peer;
  const auto node = NodeAt(peer.address());
  // Often, because a call given up half-way must not leak its connection.
  for (int i = 0; i < 20; ++i) {
    const TimePoint began = SystemClock().Now().mono;
    EXPECT_EQ(node->Observe(In(Milliseconds(40))).contact, Contact::kSilent);
    EXPECT_LE(Took(began), Milliseconds(90));
    close(accept4(peer.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  const int next = dup(peer.descriptor());
  EXPECT_LT(next, 20);
  close(next);
}

}  // namespace
}  // namespace pandora_ha::testing
