#include "tests/support/test_cluster.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "reconciler/substrate/local/local_cluster.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {
namespace {

// Tests run side by side: each process has a /24 of its own, each host a number in it. They begin
// anew after 254: no process has so many at a time.
std::string NextHost() {
  static int used = 0;
  const auto pid = static_cast<unsigned>(getpid());
  return "127." + std::to_string(64 + (pid >> 8) % 64) + "." + std::to_string(pid % 256) + "." +
         std::to_string(1 + used++ % 254);
}

std::string Explain(const Snapshot& s) {
  std::string text = std::string(ToString(s.status.state)) + ": " + s.status.verdict;
  for (const Finding& f : s.decision.findings)
    text += "\n  finding " + std::string(ToString(f.code)) + ": " + f.says;
  for (const Blocked& b : s.decision.blocked)
    text += "\n  blocked " + std::string(ToString(b.reason)) + ": " + b.says;
  for (const StepReport& r : s.report.steps) {
    text += "\n  step " + r.step + ": " + std::string(ToString(r.outcome)) + " " + r.error;
  }
  return text;
}

}  // namespace

std::optional<TestedFlavor> FindFlavor(const std::string& name) {
  if (name == "MariaDB") {
    if (!FindServerProgram(Flavor::kMariaDb, "", Deadline(SystemClock(), Seconds(10))).ok())
      return std::nullopt;
    return TestedFlavor{name, Flavor::kMariaDb, ""};
  }
  const bool mysql = name == "MySQL";
  const char* root =
      std::getenv(mysql ? "PANDORA_HA_TEST_MYSQL_ROOT" : "PANDORA_HA_TEST_MARIADB118_ROOT");
  if (root == nullptr || *root == '\0') return std::nullopt;
  return TestedFlavor{name, mysql ? Flavor::kMySql : Flavor::kMariaDb, root};
}

TestCluster::TestCluster(const TestedFlavor& flavor, int nodes, const Adjust& adjust) {
  std::string pattern = (std::filesystem::temp_directory_path() / "pandora-ha-XXXXXX").string();
  directory_ = mkdtemp(pattern.data());
  std::filesystem::create_directories(directory_ + "/data_in/conf");
  spec_.name = "test";
  spec_.substrate = SubstrateKind::kLocal;
  spec_.local = LocalSpec{directory_ + "/nodes", flavor.flavor, flavor.server_root};
  spec_.data_in = DataInSpec{};
  spec_.data_in->path = directory_ + "/data_in";
  DatabaseSpec& database = spec_.database;
  for (int i = 1; i <= nodes; ++i) {
    DatabaseNodeSpec node;
    node.name = NodeName("node" + std::to_string(i));
    node.address = NextHost();
    node.server_id = static_cast<ServerId>(i);
    database.nodes.push_back(node);
  }
  database.credentials.admin.user = "root";
  database.credentials.replication.user = "replicator";
  database.credentials.application.user = "pandora";
  database.replication.durability = DurabilityMode::kSemiSync;
  database.detection.interval = Milliseconds(200);
  spec_.endpoint.listen = Address{NextHost(), 3306};
  spec_.endpoint.hold = Seconds(20);
  if (adjust) adjust(spec_);
  passwords_ = {Secret("admin-secret"), Secret("replication-secret"), Secret("application-secret")};
}

TestCluster::~TestCluster() {
  KillManagerProcess();
  if (!manager_) StartManager();
  StopManager();
  const Status stopped = StopLocalServers(spec_.local->directory, {PANDORA_HA_TEST_SUPERVISOR},
                                          SystemClock(), Deadline(SystemClock(), Seconds(20)));
  EXPECT_TRUE(stopped.ok()) << stopped.error().message;
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "kept for a look: %s\n", directory_.c_str());
  } else {
    std::filesystem::remove_all(directory_);
  }
}

void TestCluster::StartManager(const std::string& state) {
  ManagerOptions options{spec_, passwords_, directory_ + state, {PANDORA_HA_TEST_SUPERVISOR}};
  pulse_.emplace(SystemClock(), kFrozen);
  auto made = Manager::Make(std::move(options), noticeboard_, *pulse_, SystemClock());
  ASSERT_TRUE(made.ok()) << made.error().message;
  manager_ = *std::move(made);
  thread_ = std::jthread([this](std::stop_token stop) { manager_->Run(stop); });
}

void TestCluster::StopManager() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  manager_.reset();
  pulse_.reset();
}

void TestCluster::StartManagerProcess(const std::function<void()>& then, const std::string& state) {
  ASSERT_FALSE(manager_);
  manager_process_ = fork();
  ASSERT_GE(manager_process_, 0);
  if (manager_process_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  StartManager(state);
  if (manager_ && then) then();
  if (manager_) thread_.join();
  _exit(1);
}

bool TestCluster::WaitUntilManagerProcessIsStruck(Seconds at_most) {
  const Deadline deadline(SystemClock(), at_most);
  while (manager_process_ > 0 && !deadline.passed()) {
    int how = 0;
    if (waitpid(manager_process_, &how, WNOHANG | WUNTRACED) == manager_process_) {
      if (!WIFSTOPPED(how)) manager_process_ = 0;
      return true;
    }
    usleep(1000);
  }
  return false;
}

void TestCluster::KillManagerProcess() {
  if (manager_process_ <= 0) return;
  kill(manager_process_, SIGKILL);
  waitpid(manager_process_, nullptr, 0);
  manager_process_ = 0;
}

void TestCluster::SignalManagerProcess(int signal) const {
  ASSERT_GT(manager_process_, 0);
  ASSERT_EQ(kill(manager_process_, signal), 0);
}

bool TestCluster::WaitFor(const std::string& what,
                          const std::function<bool(const Snapshot&)>& wanted, Seconds at_most) {
  const Deadline deadline(SystemClock(), at_most);
  Noticeboard::Pinned last;
  while (!deadline.passed()) {
    last = Last();
    if (last && wanted(*last)) return true;
    usleep(1000);
  }
  ADD_FAILURE() << "Never came: " << what << ". Last seen:\n"
                << (last ? Explain(*last) : "nothing");
  return false;
}

NodeName TestCluster::Primary() const {
  const auto last = Last();
  return last && last->status.primary ? *last->status.primary : NodeName();
}

pid_t TestCluster::ServerPid(const NodeName& node) const {
  std::ifstream file(spec_.local->directory + "/" + node.text + "/server.pid");
  pid_t pid = 0;
  file >> pid;
  return pid;
}

void TestCluster::Signal(const NodeName& node, int signal) const {
  const pid_t pid = ServerPid(node);
  ASSERT_GT(pid, 1) << node;
  ASSERT_EQ(kill(pid, signal), 0) << node;
}

Result<std::unique_ptr<Session>> TestCluster::Connect(const NodeName& node) const {
  return Session::Connect({{FindNode(spec_, node)->address, spec_.database.port},
                           spec_.database.credentials.admin.user,
                           passwords_.admin,
                           spec_.database.tls},
                          Deadline(SystemClock(), Seconds(10)));
}

Result<Rows> TestCluster::Ask(const NodeName& node, const std::string& sql) const {
  PHA_ASSIGN_OR_RETURN(const auto session, Connect(node));
  return session->Query(sql, Deadline(SystemClock(), Seconds(10)));
}

std::string TestCluster::Value(const NodeName& node, const std::string& sql) const {
  const auto rows = Ask(node, sql);
  if (!rows.ok()) return "[" + rows.error().message + "]";
  if (rows->empty() || !rows->cells[0][0]) return "[nothing]";
  return *rows->cells[0][0];
}

std::unique_ptr<DemoWriter> TestCluster::NewWriter(Milliseconds pause) const {
  return std::make_unique<DemoWriter>(
      DemoWriterOptions{*spec_.endpoint.listen, spec_.database.credentials.application.user,
                        passwords_.application, spec_.database.schema, pause},
      SystemClock());
}

std::unique_ptr<ClientWriter> TestCluster::NewClient(bool connect_each, Duration pause) {
  const auto made = Ask(Primary(), CreateTrialTable());
  EXPECT_TRUE(made.ok()) << made.error().message;
  ClientWriterOptions options;
  options.to = {*spec_.endpoint.listen, spec_.database.credentials.application.user,
                passwords_.application, spec_.database.tls};
  options.connect_each = connect_each;
  options.pause = pause;
  options.first_id = next_id_;
  next_id_ += 100'000'000;
  return std::make_unique<ClientWriter>(std::move(options));
}

Result<std::uint64_t> TestCluster::CountLost(ClientWriter& writer) const {
  writer.Stop();
  PHA_ASSIGN_OR_RETURN(const Rows rows, Ask(Primary(), SelectTrialRows(writer)));
  return CountMissing(writer, rows);
}

std::string TestCluster::HandIn(Wish wish, Seconds within) {
  Intent intent;
  intent.id = "trial-" + std::to_string(getpid()) + "-" + std::to_string(++asked_);
  intent.wish = std::move(wish);
  intent.by = "tester";
  intent.reason = "a test";
  intent.asked_at = SystemClock().Now().wall;
  intent.within = within;
  const std::string id = intent.id;
  const Status taken = manager_->Ask(std::move(intent));
  EXPECT_TRUE(taken.ok()) << taken.error().message;
  return id;
}

std::optional<IntentRecord> TestCluster::WaitForEnd(const std::string& id, Seconds at_most) {
  std::optional<IntentRecord> found;
  WaitFor(
      "the end of " + id,
      [&](const Snapshot& s) {
        for (const IntentRecord& record : s.decision.memory.intents) {
          if (record.intent.id == id && record.state != IntentState::kUnderWay) found = record;
        }
        return found.has_value();
      },
      at_most);
  return found;
}

}  // namespace pandora_ha
