// DatabaseNode against real servers: looking, provisioning, replicating, promoting.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "reconciler/mysql/provision.h"
#include "tests/mysql/pair.h"

namespace pandora_ha::testing {
namespace {

class DatabaseNodeTest : public OnBoth {};
ON_BOTH_SERVERS(DatabaseNodeTest);

TEST_P(DatabaseNodeTest, FreshServerIsSeenAsItIs) {
  TestServer server(GetParam(), 1, 7);
  const auto node = NodeFor(server);
  const DatabaseState state = StateOf(*node);
  EXPECT_EQ(state.version.flavor, GetParam());
  EXPECT_EQ(state.server_id, 7U);
  EXPECT_FALSE(state.writable);
  EXPECT_FALSE(state.provisioned);
  EXPECT_FALSE(state.replication.has_value());
  EXPECT_FALSE(state.heartbeat.has_value());
  EXPECT_TRUE(state.executed.empty()) << state.executed.ToString();
  EXPECT_TRUE(state.log_bin && state.gtid_on && state.log_replica_updates && state.durable);
  EXPECT_EQ(state.tls_cipher, "");
  EXPECT_EQ(state.semi_sync, SemiSyncSeen{.waits_without_replica = true});
  EXPECT_GE(node->WatchDescriptor(), 0);
}

TEST_P(DatabaseNodeTest, RunIdNamesOneRunOfTheProcess) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  const std::string first = StateOf(*node).run_id;
  // Long enough to cross a second, in which a rounded start time would show itself.
  const Deadline enough = In(Milliseconds(1500));
  int looks = 0;
  for (; !enough.passed(); ++looks) ASSERT_EQ(StateOf(*node).run_id, first);
  EXPECT_GT(looks, 100);
  server.Kill();
  server.Start();
  EXPECT_NE(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  EXPECT_NE(StateOf(*node).run_id, first);
}

TEST_P(DatabaseNodeTest, ALookAtAnIdleServerTakesUnderAFewMilliseconds) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  std::vector<long> took;
  for (int i = 0; i < 500; ++i) {
    const TimePoint began = SystemClock().Now().mono;
    ASSERT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
    took.push_back((SystemClock().Now().mono - began).count());
  }
  std::sort(took.begin(), took.end());
  const TimePoint began = SystemClock().Now().mono;
  node->Disconnect();
  ASSERT_EQ(node->Observe(In(Seconds(5))).contact, Contact::kAnswered);
  std::cout << ClientLibrary() << " to " << ToString(GetParam()) << ": Observe median " << took[250]
            << " us, p95 " << took[475] << " us, max " << took[499] << " us; with connect "
            << (SystemClock().Now().mono - began).count() << " us\n";
  EXPECT_LT(took[250], 10000);
}

TEST_P(DatabaseNodeTest, ProvisionIsRepeatableAndWorksUnderReadOnly) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  for (int i = 0; i < 2; ++i)
    EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  const DatabaseState state = StateOf(*node);
  EXPECT_TRUE(state.provisioned);
  EXPECT_FALSE(state.writable);
  EXPECT_FALSE(state.heartbeat.has_value());
  if (!mariadb()) {
    EXPECT_EQ(server.Sql("SELECT @@super_read_only"), "1");
  }

  auto application =
      Session::Connect({server.address(), "pandora", Secret("application-pw"), {}}, In(Seconds(5)));
  ASSERT_TRUE(application.ok()) << application.error().message;
  const std::string create = "CREATE TABLE pandora_test.t (id INT PRIMARY KEY)";
  const Status refused = (*application)->Execute(create, In(Seconds(5)));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_EQ(refused.error().number, 1290);
  EXPECT_OK(node->OpenWritable(In(Seconds(5))));
  EXPECT_TRUE(StateOf(*node).writable);
  EXPECT_OK((*application)->Execute(create, In(Seconds(5))));
  EXPECT_FALSE((*application)->Execute("CREATE DATABASE pandoraXtest", In(Seconds(5))).ok());
  EXPECT_OK(node->SetReadOnly(In(Seconds(5))));
  EXPECT_FALSE(StateOf(*node).writable);
}

TEST_P(DatabaseNodeTest, MarkerNeverGoesBack) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(node->OpenWritable(In(Seconds(5))));
  EXPECT_OK(Mark(*node, 3));
  EXPECT_OK(Mark(*node, 3));
  const Status lower = Mark(*node, 2);
  ASSERT_FALSE(lower.ok());
  EXPECT_EQ(lower.error().code, ErrorCode::kConflict);
  const DatabaseState state = StateOf(*node);
  ASSERT_TRUE(state.heartbeat.has_value());
  EXPECT_EQ(state.heartbeat->epoch, Epoch(3));
  EXPECT_EQ(state.heartbeat->writer, NodeName("node1"));
  EXPECT_LT(SystemClock().Now().wall - state.heartbeat->written_at, Seconds(20));
}

GuardsCopy Guarded(std::uint64_t epoch, std::uint64_t change) {
  GuardsCopy copy{{Epoch(epoch), change}, "manager-a", {}};
  copy.guards.paused = Guard{"ana", "it's \\ \"new\" d\u00efsk", SystemClock().Now().wall, {}};
  return copy;
}

Status Write(DatabaseNode& node, const GuardsCopy& copy, std::uint64_t epoch) {
  return node.WriteGuards(copy, Epoch(epoch), 0, In(Seconds(5)));
}

TEST_P(DatabaseNodeTest, GuardsReachTheReplicaAndNeverGoBack) {
  Pair pair(GetParam());
  EXPECT_FALSE(StateOf(*pair.a).guards);
  EXPECT_OK(Write(*pair.a, Guarded(1, 4), 1));
  EXPECT_OK(Write(*pair.a, Guarded(1, 5), 1));
  for (const auto& [older, epoch] :
       {std::pair(Guarded(1, 5), 1), {Guarded(1, 3), 1}, {Guarded(0, 9), 1}, {Guarded(1, 6), 0}}) {
    const Status refused = Write(*pair.a, older, static_cast<std::uint64_t>(epoch));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kConflict) << refused.error().message;
  }
  EXPECT_OK(Write(*pair.a, Guarded(2, 1), 2));
  const auto arrived = [&] {
    const auto copy = StateOf(*pair.b).guards;
    return copy && copy->version == GuardsVersion{Epoch(2), 1};
  };
  ASSERT_TRUE(WaitUntil(Seconds(10), arrived));
  EXPECT_EQ(StateOf(*pair.b).guards, StateOf(*pair.a).guards);
  EXPECT_EQ(StateOf(*pair.b).guards->guards.paused->reason, "it's \\ \"new\" d\u00efsk");
  EXPECT_EQ(StateOf(*pair.b).guards->writer, "manager-a");
  // What comes late writes nothing on a server that was closed meanwhile: no row of its own.
  EXPECT_OK(pair.a->SetReadOnly(In(Seconds(5))));
  const GtidSet before = StateOf(*pair.a).executed;
  EXPECT_FALSE(Write(*pair.a, Guarded(3, 1), 3).ok());
  EXPECT_FALSE(Write(*pair.b, Guarded(3, 1), 3).ok());
  EXPECT_EQ(StateOf(*pair.a).executed, before);
  EXPECT_EQ(StateOf(*pair.b).executed, before);
}

// As a version without guards left it, and as a stranger or a later version may write it.
TEST_P(DatabaseNodeTest, AMissingTableIsMadeAndAForeignRowIsUnknown) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(node->OpenWritable(In(Seconds(5))));
  EXPECT_OK(Mark(*node, 3));
  server.Sql("DROP TABLE pandora_test.pandora_ha_guards");
  const DatabaseState old = StateOf(*node);
  EXPECT_FALSE(old.provisioned);
  ASSERT_TRUE(old.heartbeat);
  EXPECT_EQ(old.heartbeat->epoch, Epoch(3));
  EXPECT_FALSE(old.guards || old.unread_guards);
  EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_TRUE(StateOf(*node).provisioned);
  EXPECT_OK(Write(*node, Guarded(3, 1), 3));
  server.Sql("UPDATE pandora_test.pandora_ha_guards SET version=2, document='{\"format\":2}'");
  const DatabaseState foreign = StateOf(*node);
  EXPECT_FALSE(foreign.guards);
  ASSERT_TRUE(foreign.unread_guards);
  EXPECT_EQ(foreign.unread_guards->version, (GuardsVersion{Epoch(3), 2}));
  EXPECT_TRUE(foreign.provisioned && foreign.heartbeat);
  EXPECT_OK(Write(*node, Guarded(3, 3), 3));
  EXPECT_TRUE(StateOf(*node).guards);
  server.Sql("ALTER TABLE pandora_test.pandora_ha_guards DROP COLUMN version");
  EXPECT_TRUE(StateOf(*node).unread_guards);
  EXPECT_TRUE(StateOf(*node).heartbeat);
}

TEST_P(DatabaseNodeTest, AReplicaFollowsFromEmpty) {
  Pair pair(GetParam());
  const DatabaseState primary = StateOf(*pair.a);
  ASSERT_TRUE(
      WaitUntil(Seconds(10), [&] { return StateOf(*pair.b).executed.Contains(primary.executed); }));
  const DatabaseState replica = StateOf(*pair.b);
  ASSERT_TRUE(replica.replication.has_value());
  EXPECT_EQ(replica.replication->source, pair.one.address());
  EXPECT_EQ(replica.replication->io, ThreadState::kRunning);
  EXPECT_EQ(replica.replication->sql, ThreadState::kRunning);
  EXPECT_TRUE(replica.replication->applied_all);
  EXPECT_LE(replica.replication->lag.value_or(Seconds(99)), Seconds(2));
  EXPECT_TRUE(replica.replication->received.Contains(primary.executed));
  EXPECT_TRUE(replica.provisioned);
  EXPECT_FALSE(replica.writable);
  EXPECT_EQ(primary.executed.CountMissingIn(replica.executed), 0U);
  // Heartbeats alone move the token of an idle channel.
  EXPECT_TRUE(WaitUntil(Seconds(5), [&] {
    return StateOf(*pair.b).replication->arrival_token != replica.replication->arrival_token;
  }));
  // Asked again it changes nothing, not even a connection.
  const std::string beats = replica.replication->arrival_token;
  pair.Follow(*pair.b, pair.one);
  EXPECT_EQ(StateOf(*pair.b).replication->io, ThreadState::kRunning);
}

// Killed in the middle of forgetting a source, MariaDB answers every CHANGE MASTER with error 1201,
// and MySQL every start of its threads with 1872.
TEST_P(DatabaseNodeTest, AReplicaWhoseRelayLogsAreGoneFollowsAgain) {
  Pair pair(GetParam(), {"--relay-log-recovery=ON"});
  pair.two.Kill();
  std::ofstream(pair.two.directory() + "/data/relay.index", std::ios::app)
      << "./relay.009998\n./relay.009999\n";
  pair.two.Start();
  pair.b->Disconnect();
  EXPECT_OK(Mark(*pair.a, 2));
  pair.Follow(*pair.b, pair.one);
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.b) == Epoch(2); }));
}

TEST_P(DatabaseNodeTest, LagIsUnknownWhileTheApplierIsStopped) {
  Pair pair(GetParam());
  pair.two.Sql(pair.StopApplier());
  EXPECT_OK(Mark(*pair.a, 2));
  const DatabaseState primary = StateOf(*pair.a);
  ASSERT_TRUE(WaitUntil(Seconds(10), [&] {
    return StateOf(*pair.b).replication->received.Contains(primary.executed);
  }));
  const DatabaseState replica = StateOf(*pair.b);
  EXPECT_EQ(replica.replication->sql, ThreadState::kStopped);
  EXPECT_EQ(replica.replication->lag, std::nullopt);
  EXPECT_FALSE(replica.replication->applied_all);
  EXPECT_FALSE(replica.executed.Contains(primary.executed));
  EXPECT_EQ(primary.executed.CountMissingIn(replica.executed), 1U);
  pair.Follow(*pair.b, pair.one);
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.b) == Epoch(2); }));
}

TEST_P(DatabaseNodeTest, PromotionAppliesWhatWasReceivedAndTheOldPrimaryComesBack) {
  Pair pair(GetParam());
  // The applier stops first, so that the promotion has a relay log to drain and both threads to
  // find stopped.
  pair.two.Sql(pair.StopApplier());
  for (std::uint64_t epoch = 2; epoch <= 20; ++epoch) EXPECT_OK(Mark(*pair.a, epoch));
  const GtidSet written = StateOf(*pair.a).executed;
  ASSERT_TRUE(WaitUntil(Seconds(10),
                        [&] { return StateOf(*pair.b).replication->received.Contains(written); }));
  pair.one.Kill();

  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  EXPECT_EQ(StateOf(*pair.b).replication->io, ThreadState::kStopped);
  EXPECT_OK(pair.b->ApplyReceived(In(Seconds(5))));
  EXPECT_TRUE(StateOf(*pair.b).executed.Contains(written));
  EXPECT_EQ(MarkerSeenBy(*pair.b), Epoch(20));
  EXPECT_OK(pair.b->LeaveReplication(In(Seconds(5))));
  EXPECT_OK(pair.b->LeaveReplication(In(Seconds(5))));
  EXPECT_FALSE(StateOf(*pair.b).replication.has_value());
  EXPECT_FALSE(StateOf(*pair.b).writable);
  EXPECT_OK(pair.b->OpenWritable(In(Seconds(5))));
  EXPECT_OK(Mark(*pair.b, 21));

  pair.one.Start();
  pair.a->Disconnect();
  EXPECT_FALSE(StateOf(*pair.a).writable);
  EXPECT_TRUE(StateOf(*pair.b).executed.Contains(StateOf(*pair.a).executed));
  pair.Follow(*pair.a, pair.two);
  EXPECT_TRUE(WaitUntil(Seconds(20), [&] { return MarkerSeenBy(*pair.a) == Epoch(21); }));
  EXPECT_EQ(StateOf(*pair.a).executed, StateOf(*pair.b).executed);
}

TEST_P(DatabaseNodeTest, RelayLogOfAStoppedReplicaSurvivesUntilItIsApplied) {
  Pair pair(GetParam());
  pair.two.Sql(pair.StopApplier());
  EXPECT_OK(Mark(*pair.a, 2));
  const GtidSet written = StateOf(*pair.a).executed;
  ASSERT_TRUE(WaitUntil(Seconds(10),
                        [&] { return StateOf(*pair.b).replication->received.Contains(written); }));
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  pair.one.Signal(SIGSTOP);  // the source cannot send it again
  if (mariadb()) {
    // MySQL drops the tail here by relay_log_recovery; MariaDB keeps it, and only its files know.
    pair.two.Kill();
    pair.two.Start();
    pair.b->Disconnect();
    EXPECT_FALSE(StateOf(*pair.b).replication->applied_all);
    EXPECT_FALSE(StateOf(*pair.b).executed.Contains(written));
    EXPECT_TRUE(StateOf(*pair.b).replication->received.Contains(written));
  }
  EXPECT_OK(pair.b->ApplyReceived(In(Seconds(10))));
  EXPECT_EQ(MarkerSeenBy(*pair.b), Epoch(2));
  EXPECT_TRUE(StateOf(*pair.b).executed.Contains(written));
  // And it goes back to following the same source by GTID.
  pair.one.Signal(SIGCONT);
  pair.Follow(*pair.b, pair.one);
  EXPECT_OK(Mark(*pair.a, 3));
  EXPECT_TRUE(WaitUntil(Seconds(20), [&] { return MarkerSeenBy(*pair.b) == Epoch(3); }));
}

// The manager's lock hangs on that connection: the end of a wait must not cost it.
// After a failover the other replicas are still applying when they are given the new source.
TEST_P(DatabaseNodeTest, AReplicaThatIsApplyingIsRepointedWithoutApplyingAnythingTwice) {
  Pair pair(GetParam());
  TestServer three(GetParam(), 3, 3);
  const auto c = NodeFor(three);
  pair.Follow(*c, pair.one);
  pair.one.Sql("CREATE TABLE pandora_test.counted (id INT PRIMARY KEY)");
  int id = 0;
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    three.Sql(pair.StopApplier());
    std::string rows;
    for (int i = 0; i < 300; ++i)
      rows += "INSERT INTO pandora_test.counted VALUES (" + std::to_string(++id) + ");";
    pair.one.Sql(rows);
    const GtidSet written = StateOf(*pair.a).executed;
    ASSERT_TRUE(WaitUntil(Seconds(20), [&] {
      return StateOf(*pair.b).executed.Contains(written) &&
             StateOf(*c).replication->received.Contains(written);
    }));
    three.Sql(mariadb() ? "START SLAVE SQL_THREAD" : "START REPLICA SQL_THREAD");
    pair.Follow(*c, pair.two);
    ASSERT_TRUE(WaitUntil(Seconds(20), [&] { return StateOf(*c).executed.Contains(written); }))
        << StateOf(*c).replication->sql_error << StateOf(*c).replication->io_error;
    pair.Follow(*c, pair.one);
    ASSERT_TRUE(WaitUntil(Seconds(20), [&] { return Pair::Receiving(*c); }));
  }
  EXPECT_EQ(three.Sql("SELECT COUNT(*) FROM pandora_test.counted"), std::to_string(id));
}

TEST_P(DatabaseNodeTest, AnApplierThatIsHeldUpCostsTheTimeAndNotTheConnection) {
  Pair pair(GetParam());
  EXPECT_OK(Mark(*pair.a, 2));
  ASSERT_TRUE(WaitUntil(Seconds(10), [&] { return MarkerSeenBy(*pair.b) == Epoch(2); }));
  const auto holder = pair.two.Admin();
  EXPECT_OK(holder->Execute("BEGIN", In(Seconds(5))));
  ASSERT_TRUE(holder->Query("SELECT * FROM " + *HeartbeatTable(TestSpec().database.schema) +
                                " WHERE id=1 LOCK IN SHARE MODE",
                            In(Seconds(5))));
  EXPECT_OK(Mark(*pair.a, 3));
  const GtidSet written = StateOf(*pair.a).executed;
  ASSERT_TRUE(WaitUntil(Seconds(10),
                        [&] { return StateOf(*pair.b).replication->received.Contains(written); }));
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  const auto connection = pair.b->WatchDescriptor();
  for (const int budget : {100, 150, 300, 700}) {
    const Status status = pair.b->ApplyReceived(In(Milliseconds(budget)));
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message.find("has not applied"), std::string::npos)
        << status.error().message;
    EXPECT_EQ(pair.b->WatchDescriptor(), connection);
  }
}

TEST_P(DatabaseNodeTest, SwitchoverAndBackByGtid) {
  Pair pair(GetParam());
  DatabaseNode* from = pair.a.get();
  DatabaseNode* to = pair.b.get();
  TestServer* to_server = &pair.two;
  TestServer* from_server = &pair.one;
  for (std::uint64_t epoch = 2; epoch <= 4; ++epoch) {
    EXPECT_OK(from->SetReadOnly(In(Seconds(5))));
    const GtidSet last = StateOf(*from).executed;
    ASSERT_TRUE(
        WaitUntil(Seconds(10), [&] { return StateOf(*to).replication->received.Contains(last); }));
    EXPECT_OK(to->StopReceiving(In(Seconds(5))));
    EXPECT_OK(to->ApplyReceived(In(Seconds(5))));
    EXPECT_OK(to->LeaveReplication(In(Seconds(5))));
    EXPECT_OK(to->OpenWritable(In(Seconds(5))));
    EXPECT_OK(Mark(*to, epoch));
    pair.Follow(*from, *to_server);
    ASSERT_TRUE(WaitUntil(Seconds(20), [&] { return MarkerSeenBy(*from) == Epoch(epoch); }));
    EXPECT_EQ(StateOf(*from).executed, StateOf(*to).executed);
    std::swap(from, to);
    std::swap(from_server, to_server);
  }
}

TEST_P(DatabaseNodeTest, ErrantTransactionIsSeenAsNotContained) {
  Pair pair(GetParam());
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(5))));
  EXPECT_TRUE(StateOf(*pair.a).executed.Contains(StateOf(*pair.b).executed));
  EXPECT_OK(pair.b->OpenWritable(In(Seconds(5))));
  pair.two.Sql("CREATE TABLE pandora_test.errant (id INT PRIMARY KEY)");
  EXPECT_OK(pair.b->SetReadOnly(In(Seconds(5))));
  EXPECT_OK(Mark(*pair.a, 2));
  const DatabaseState primary = StateOf(*pair.a);
  const DatabaseState diverged = StateOf(*pair.b);
  EXPECT_FALSE(primary.executed.Contains(diverged.executed));
  EXPECT_FALSE(diverged.executed.Contains(primary.executed));
  if (!mariadb()) {
    EXPECT_EQ(diverged.executed.CountMissingIn(primary.executed), 1U);
  }
}

TEST_P(DatabaseNodeTest, DuplicateServerIdIsVisible) {
  TestServer one(GetParam(), 1, 5), two(GetParam(), 2, 5);
  const auto a = NodeFor(one), b = NodeFor(two);
  EXPECT_OK(a->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(b->ReplicateFrom(one.address(), TestSpec().database.credentials.replication,
                             TestPasswords().replication, In(Seconds(10))));
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return StateOf(*b).replication->io_errno != 0; }));
  const DatabaseState state = StateOf(*b);
  EXPECT_EQ(state.server_id, StateOf(*a).server_id);
  if (!mariadb()) {
    EXPECT_NE(state.server_uuid, StateOf(*a).server_uuid);
  }
  EXPECT_NE(state.replication->io_error, "");
  EXPECT_EQ(state.replication->lag, std::nullopt);
}

// Its source is killed while it sends a large transaction: the part that arrived is nobody's, and
// must not hold up a promotion.
TEST_P(DatabaseNodeTest, APartOfATransactionHoldsUpNoPromotion) {
  Pair pair(GetParam());
  const auto writer = pair.one.Admin();
  EXPECT_OK(writer->Execute(
      "CREATE DATABASE big; CREATE TABLE big.t (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT)",
      In(Seconds(10))));
  const auto received = [&] {
    std::uintmax_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(pair.two.directory() + "/data")) {
      if (entry.path().filename().string().find("relay") != std::string::npos)
        bytes += entry.file_size();
    }
    return bytes;
  };
  const std::uintmax_t before = received();
  std::thread commit([&] {
    std::string sql = "BEGIN";
    for (int row = 0; row < 60; ++row)
      sql +=
          "; INSERT INTO big.t (text) VALUES (REPEAT('" + std::to_string(row % 10) + "', 4000000))";
    [[maybe_unused]] const Status done = writer->Execute(sql + "; COMMIT", In(Seconds(30)));
  });
  EXPECT_TRUE(WaitUntil(Seconds(30), [&] { return received() > before + 20000000; }));
  pair.one.Kill();
  commit.join();
  EXPECT_LT(received(), before + 240000000) << "all of it arrived";
  EXPECT_OK(pair.b->StopReceiving(In(Seconds(10))));
  EXPECT_OK(pair.b->ApplyReceived(In(Seconds(10))));
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_OK(pair.b->LeaveReplication(In(Seconds(10))));
  std::printf("left after %s\n", FormatDuration(SystemClock().Now().mono - began).c_str());
  EXPECT_OK(pair.b->OpenWritable(In(Seconds(5))));
}

TEST_P(DatabaseNodeTest, EmptyTransactionsCountAsExecutedAndLeaveTheSessionAsItWas) {
  Pair pair(GetParam());
  const auto set = GtidSet::Parse(Flavor::kMySql, "0000aaaa-0000-0000-0000-000000000001:5-7:9");
  ASSERT_TRUE(set.ok());
  if (mariadb()) {
    EXPECT_EQ(pair.a->InjectEmpty(*set, In(Seconds(5))).error().code, ErrorCode::kUnsupported);
    return;
  }
  EXPECT_OK(pair.a->InjectEmpty(*set, In(Seconds(5))));
  EXPECT_OK(pair.a->InjectEmpty(*set, In(Seconds(5))));  // again
  EXPECT_TRUE(StateOf(*pair.a).executed.Contains(*set));
  EXPECT_TRUE(WaitUntil(Seconds(10), [&] { return StateOf(*pair.b).executed.Contains(*set); }));
  const GtidSet before = StateOf(*pair.a).executed;
  EXPECT_OK(Mark(*pair.a, 2));
  const GtidSet own = StateOf(*pair.a).executed.Subtract(before);
  EXPECT_EQ(own.WrittenBy(StateOf(*pair.a).server_uuid), own) << "its own names again";
  // What cannot be executed leaves the session as it was, too.
  const auto bad = GtidSet::Parse(Flavor::kMySql, "0000aaaa-0000-0000-0000-000000000001:11");
  const auto blocker = pair.one.Admin();
  ASSERT_TRUE(
      blocker
          ->Execute("SET SESSION gtid_next='0000aaaa-0000-0000-0000-000000000001:11'; BEGIN",
                    In(Seconds(5)))
          .ok());
  EXPECT_FALSE(pair.a->InjectEmpty(*bad, In(Milliseconds(500))).ok()) << "somebody has that name";
  ASSERT_TRUE(blocker->Execute("ROLLBACK; SET SESSION gtid_next='AUTOMATIC'", In(Seconds(5))).ok());
  EXPECT_OK(Mark(*pair.a, 3));
}

TEST_P(DatabaseNodeTest, ReadOnlyIsBoundedWhenALockHoldsItUp) {
  TestServer server(GetParam(), 1, 1);
  const auto node = NodeFor(server);
  EXPECT_OK(node->Provision(TestSpec(), TestPasswords(), In(Seconds(10))));
  EXPECT_OK(node->OpenWritable(In(Seconds(5))));
  const auto holder = server.Admin();
  EXPECT_OK(holder->Execute("LOCK TABLES pandora_test.pandora_ha_heartbeat WRITE", In(Seconds(5))));
  const TimePoint began = SystemClock().Now().mono;
  const Status blocked = node->SetReadOnly(In(Milliseconds(2500)));
  EXPECT_LT(SystemClock().Now().mono - began, Milliseconds(2600));
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().code, ErrorCode::kConflict) << blocked.error().message;
  EXPECT_TRUE(StateOf(*node).writable);
  EXPECT_OK(holder->Execute("UNLOCK TABLES", In(Seconds(5))));
  EXPECT_OK(node->SetReadOnly(In(Seconds(5))));
  EXPECT_FALSE(StateOf(*node).writable);
}

}  // namespace
}  // namespace pandora_ha::testing
