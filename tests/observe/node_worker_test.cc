// Against real sockets: a port that refuses, and one that takes connections and says nothing.
#include "reconciler/observe/node_worker.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>

#include "reconciler/base/descriptor.h"
#include "reconciler/mysql/database_node.h"

namespace pandora_ha {
namespace {

// A port of this process alone: bound, and listening only when asked to.
class Port {
 public:
  Port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&where), &size), 0);
    address_ = {"127.0.0.1", ntohs(where.sin_port)};
  }
  void Listen() { EXPECT_EQ(listen(socket_.get(), 8), 0); }
  const Address& address() const { return address_; }

 private:
  Descriptor socket_;
  Address address_;
};

class NodeWorkerTest : public ::testing::Test {
 protected:
  std::unique_ptr<NodeWorker> Make(Duration look_timeout) {
    DatabaseNodeOptions options;
    options.session.address = port_.address();
    options.session.user = "root";
    options.schema = "pandora";
    return std::make_unique<NodeWorker>(NodeName("node1"), MakeDatabaseNode(options), nullptr,
                                        SystemClock(), look_timeout, [this] { ++news_; });
  }

  Port port_;
  std::atomic<int> news_{0};
};

TEST_F(NodeWorkerTest, AServerThatIsDownIsNoNewsToWhoHasAskedAndWaited) {
  const auto worker = Make(Seconds(5));
  for (int look = 1; look <= 20; ++look) {
    worker->RequestLook();
    ASSERT_TRUE(worker->WaitForLook(Deadline(SystemClock(), Seconds(5))));
    EXPECT_EQ(worker->Seen().contact, Contact::kRefusedPort);
  }
  EXPECT_EQ(worker->Seen().attempts, 20u);
  EXPECT_EQ(news_, 0);
}

TEST_F(NodeWorkerTest, ALookThatWasGivenUpIsNewsWhenItIsOver) {
  port_.Listen();
  const auto worker = Make(Milliseconds(50));
  worker->RequestLook();
  EXPECT_FALSE(worker->WaitForLook(Deadline(SystemClock(), Milliseconds(1))));
  EXPECT_EQ(worker->Seen().contact, Contact::kNeverTried);
  ASSERT_TRUE(worker->WaitForLook(Deadline(SystemClock(), Seconds(5))));
  EXPECT_EQ(worker->Seen().contact, Contact::kSilent);
  const Deadline deadline(SystemClock(), Seconds(5));
  while (news_ == 0 && !deadline.passed()) std::this_thread::yield();
  EXPECT_EQ(news_, 1);
}

}  // namespace
}  // namespace pandora_ha
