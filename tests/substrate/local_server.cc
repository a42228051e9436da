#include "local_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

namespace pandora_ha {
namespace {

constexpr const char* kPassword = "the 'right' one";

// A loopback address per test process, a port per server in it.
Address UnusedAddress() {
  static std::atomic<int> servers{0};
  const auto pid = static_cast<unsigned>(getpid());
  return {"127." + std::to_string(64 + (pid >> 16 & 63)) + "." + std::to_string(pid >> 8 & 255) +
              "." + std::to_string(1 + pid % 254),
          static_cast<std::uint16_t>(3306 + ++servers)};
}

struct Session {
  MYSQL* mysql = mysql_init(nullptr);
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { mysql_close(mysql); }
};

}  // namespace

std::optional<ServerProgram> TestedServer(const std::string& name) {
  const char* root = "";
  if (name == "MySQL") root = std::getenv("PANDORA_HA_TEST_MYSQL_ROOT");
  if (name == "MariaDB118") root = std::getenv("PANDORA_HA_TEST_MARIADB118_ROOT");
  if (root == nullptr) return std::nullopt;
  const Flavor flavor = name == "MySQL" ? Flavor::kMySql : Flavor::kMariaDb;
  auto program = FindServerProgram(flavor, root, Deadline(SystemClock(), Seconds(10)));
  if (!program.ok()) {
    ADD_FAILURE() << program.error().message;
    std::abort();
  }
  return *program;
}

LocalServer::LocalServer(ServerProgram program, Seconds restart_allowed) {
  char directory[] = "/tmp/pandora-ha-test-XXXXXX";
  if (mkdtemp(directory) == nullptr) std::abort();
  options_.program = std::move(program);
  options_.settings = {directory, UnusedAddress(), 42, {}};
  options_.admin_user = "root";
  options_.admin_password = Secret(kPassword);
  options_.restart_allowed = restart_allowed;
  options_.supervisor_command = {PANDORA_HA_TEST_SUPERVISOR};
}

LocalServer::~LocalServer() {
  const auto manager = NewManager();
  EXPECT_TRUE(manager->Fence(Soon()).ok());
  EXPECT_TRUE(manager->StopAndQuit(Soon()).ok());
  std::error_code ignored;
  std::filesystem::remove_all(directory(), ignored);
}

std::unique_ptr<LocalHost> LocalServer::NewManager(std::function<void()> on_change) const {
  LocalHostOptions options = options_;
  options.on_change = std::move(on_change);
  auto host = LocalHost::Open(std::move(options), SystemClock());
  if (!host.ok()) {
    ADD_FAILURE() << host.error().message;
    std::abort();
  }
  return std::move(*host);
}

Status LocalServer::WaitAnswers() const {
  const Deadline deadline = Soon();
  std::string answer;
  while ((answer = Ask("SELECT 'yes'")) != "yes") {
    if (deadline.passed())
      return Error{ErrorCode::kTimeout, "the server does not answer: " + answer};
    poll(nullptr, 0, 10);
  }
  return Ok();
}

std::string LocalServer::Ask(const std::string& sql, const std::string& password) const {
  const Session session;
  const unsigned seconds = 5;
  mysql_options(session.mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  mysql_options(session.mysql, MYSQL_OPT_READ_TIMEOUT, &seconds);
  const Address& at = options_.settings.address;
  if (mysql_real_connect(session.mysql, at.host.c_str(), "root", password.c_str(), nullptr, at.port,
                         nullptr, 0) == nullptr ||
      mysql_real_query(session.mysql, sql.data(), sql.size()) != 0) {
    return mysql_error(session.mysql);
  }
  MYSQL_RES* rows = mysql_store_result(session.mysql);
  if (rows == nullptr) return mysql_error(session.mysql);
  const MYSQL_ROW row = mysql_fetch_row(rows);
  std::string first = row != nullptr && row[0] != nullptr ? row[0] : "";
  mysql_free_result(rows);
  return first;
}

bool IsRunning(const Seen<SupervisorState>& state) {
  return state.known() && state->process.phase == Phase::kRunning;
}
bool HasEnded(const Seen<SupervisorState>& state) {
  return state.known() && state->process.phase == Phase::kEnded;
}

std::int64_t SupervisorPid(const LocalHost& host, Deadline deadline) {
  std::int64_t pid = 0;
  EXPECT_TRUE(host.WaitFor(
      [&](const auto& state) {
        if (state.known()) pid = state->supervisor_pid;
        return state.known();
      },
      deadline));
  return pid;
}

}  // namespace pandora_ha
