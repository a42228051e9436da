// What clients of a real server notice when the endpoint in front of it is drained.
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "reconciler/publish/endpoint.h"
#include "tests/integration/on_servers.h"

namespace pandora_ha {
namespace {

constexpr Milliseconds kGrace{100};

// Clients of one kind at a drained endpoint: what they did, and the errors they met.
class Clients {
 public:
  using Work = std::function<Status(const SessionOptions&, std::stop_token)>;

  // Each thread does `work` again and again.
  Clients(SessionOptions to, int how_many, Work work) {
    for (int i = 0; i < how_many; ++i) {
      threads_.emplace_back([this, to, work](std::stop_token stop) {
        while (!stop.stop_requested()) Note(work(to, stop));
      });
    }
  }
  ~Clients() { threads_.clear(); }

  std::uint64_t done() const { return done_; }
  std::uint64_t failed() const { return failed_; }
  std::string errors() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [number, times] : errors_) {
      out += " " + std::to_string(times) + "x" + std::to_string(number);
    }
    return out;
  }

 private:
  void Note(const Status& status) {
    ++(status.ok() ? done_ : failed_);
    if (status.ok()) return;
    const std::lock_guard lock(mutex_);
    ++errors_[status.error().number];
  }

  std::atomic<std::uint64_t> done_{0}, failed_{0};
  mutable std::mutex mutex_;
  std::map<int, int> errors_;
  std::vector<std::jthread> threads_;
};

Deadline Soon() {
  return Deadline(SystemClock(), Seconds(20));
}

Status Say(Session& session, const std::vector<std::string>& statements) {
  for (const auto& statement : statements) PHA_TRY(session.Execute(statement, Soon()));
  return Ok();
}

const std::vector<std::string> kTransaction = {
    "BEGIN", "INSERT INTO pandora.drained VALUES (NULL, 1)",
    "INSERT INTO pandora.drained VALUES (NULL, 2)", "COMMIT"};

// Connects anew for each transaction, as a console does with each page.
Status Visit(const SessionOptions& to, std::stop_token) {
  PHA_ASSIGN_OR_RETURN(const auto session, Session::Connect(to, Soon()));
  PHA_TRY(Say(*session, kTransaction));
  usleep(1000);
  return Ok();
}

// Keeps its session; an error is followed by a new one.
Clients::Work Stay(const std::vector<std::string>& statements, useconds_t pause) {
  return [=](const SessionOptions& to, std::stop_token stop) -> Status {
    PHA_ASSIGN_OR_RETURN(const auto session, Session::Connect(to, Soon()));
    while (!stop.stop_requested()) {
      PHA_TRY(Say(*session, statements));
      usleep(pause);
    }
    return Ok();
  };
}

class Drain : public OnServers {
 protected:
  void SetUp() override {
    OnServers::SetUp();
    if (!flavor_) return;
    cluster_ = std::make_unique<TestCluster>(*flavor_);
    cluster_->StartManager();
    ASSERT_TRUE(WaitWhole(*cluster_));
    ASSERT_TRUE(cluster_
                    ->Ask(kNode1,
                          "CREATE TABLE pandora.drained (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
                          "v INT) ENGINE=InnoDB")
                    .ok());
    EndpointOptions options;
    options.listen = {"127.0.0.1", 0};
    endpoint_ = std::move(*Endpoint::Start(options, SystemClock()));
    const auto* node = FindNode(cluster_->spec(), kNode1);
    primary_ = {kNode1, {node->address, cluster_->spec().database.port}, Epoch(1)};
    ASSERT_TRUE(endpoint_->Publish(primary_).ok());
    to_ = {endpoint_->listen(),
           cluster_->spec().database.credentials.application.user,
           Secret("application-secret"),
           {}};
  }
  // Drains a while after the clients began, as a switchover would, and takes it back.
  Status DrainUnder(const char* who, const Clients& clients, Duration limit = Seconds(1)) {
    usleep(300'000);
    const auto before = endpoint_->Statistics();
    const TimePoint start = SystemClock().Now().mono;
    const Status drained = endpoint_->Drain(kGrace, Deadline(SystemClock(), limit));
    const Duration took = SystemClock().Now().mono - start;
    EXPECT_TRUE(endpoint_->Withdraw().ok());
    usleep(20'000);
    EXPECT_TRUE(endpoint_->Publish(primary_).ok());
    usleep(200'000);
    const auto after = endpoint_->Statistics();
    std::printf("%s, %s: %s in %s, %llu drained, %llu cut, %llu errors of clients%s\n", GetParam(),
                who, drained.ok() ? "empty" : "not empty", FormatDuration(took).c_str(),
                static_cast<unsigned long long>(after.sessions_drained - before.sessions_drained),
                static_cast<unsigned long long>(after.sessions_cut - before.sessions_cut),
                static_cast<unsigned long long>(clients.failed()), clients.errors().c_str());
    return drained;
  }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<Endpoint> endpoint_;
  PublishedPrimary primary_;
  SessionOptions to_;
};
ON_SERVERS(Drain, "MariaDB", "MariaDB118", "MySQL");

TEST_P(Drain, WhoConnectsForEachTransactionSeesNoError) {
  const Clients clients(to_, 8, Visit);
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t done = clients.done();
    EXPECT_TRUE(DrainUnder("a session for each transaction", clients).ok());
    EXPECT_GT(clients.done(), done);
  }
  EXPECT_EQ(clients.failed(), 0u) << clients.errors();
}

TEST_P(Drain, WhoStaysLosesTheSessionBetweenTransactionsAndNothingElse) {
  {
    const Clients busy(to_, 4, Stay(kTransaction, 0));
    EXPECT_TRUE(DrainUnder("busy persistent sessions", busy).ok());
    EXPECT_EQ(busy.failed(), 4u) << "one each; " << busy.errors();
  }
  const Clients idle(to_, 4, Stay(kTransaction, 400'000));
  EXPECT_TRUE(DrainUnder("idle persistent sessions", idle).ok());
  EXPECT_EQ(endpoint_->Statistics().sessions_cut, 0u);
}

TEST_P(Drain, ATransactionIsWaitedForUntilTheDeadline) {
  auto session = Session::Connect(to_, Soon());
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(Say(**session, {kTransaction[0], kTransaction[1]}).ok());
  std::jthread commit([&] {
    usleep(500'000);
    EXPECT_TRUE(Say(**session, {kTransaction[2], kTransaction[3]}).ok());
  });
  EXPECT_TRUE(endpoint_->Drain(kGrace, Deadline(SystemClock(), Seconds(10))).ok());
  commit.join();
  EXPECT_EQ(endpoint_->Statistics().sessions_drained, 1u);

  ASSERT_TRUE(endpoint_->Publish(primary_).ok());
  session = Session::Connect(to_, Soon());
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(Say(**session, {kTransaction[0], kTransaction[1]}).ok());
  EXPECT_FALSE(endpoint_->Drain(kGrace, Deadline(SystemClock(), Milliseconds(200))).ok());
  EXPECT_TRUE(Say(**session, {kTransaction[2]}).ok()) << "nobody has cut it yet";
  ASSERT_TRUE(endpoint_->Withdraw().ok());
  EXPECT_FALSE(Say(**session, {kTransaction[3]}).ok());
}

TEST_P(Drain, AResultThatStreamsIsReadToItsEnd) {
  const std::string rows =
      "SELECT REPEAT('r', 2000) FROM information_schema.columns a, information_schema.columns b "
      "LIMIT 20000";
  const Clients clients(to_, 2, [rows](const SessionOptions& to, std::stop_token) -> Status {
    PHA_ASSIGN_OR_RETURN(const auto session, Session::Connect(to, Soon()));
    PHA_ASSIGN_OR_RETURN(const auto read, session->Query(rows, Soon()));
    static_cast<void>(read);
    return Ok();
  });
  EXPECT_TRUE(DrainUnder("40 MB results", clients, Seconds(10)).ok());
  EXPECT_EQ(clients.failed(), 0u) << clients.errors();
}

}  // namespace
}  // namespace pandora_ha
