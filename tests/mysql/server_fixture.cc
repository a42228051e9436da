#include "tests/mysql/server_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "reconciler/mysql/database_node.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kAdminSql[] =
    "CREATE USER 'admin'@'%' IDENTIFIED BY 'admin-pw';\n"
    "GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n";

// PANDORA_HA_TEST_MARIADB=11.8 takes that release's root folder instead of the installed server.
const char* RootVariable(Flavor flavor) {
  if (flavor == Flavor::kMySql) return "PANDORA_HA_TEST_MYSQL_ROOT";
  const char* release = std::getenv("PANDORA_HA_TEST_MARIADB");
  const bool newer = release != nullptr && std::string(release) == "11.8";
  return newer ? "PANDORA_HA_TEST_MARIADB118_ROOT" : nullptr;
}

Result<ServerProgram> Find(Flavor flavor) {
  const char* variable = RootVariable(flavor);
  const char* where = variable == nullptr ? "" : std::getenv(variable);
  if (where == nullptr) {
    return Error{ErrorCode::kNotFound, std::string(variable) + " names no server"};
  }
  return FindServerProgram(flavor, where, In(Seconds(10)));
}

const ServerProgram& ProgramOf(Flavor flavor) {
  static std::map<Flavor, ServerProgram> found;
  if (!found.contains(flavor)) found[flavor] = *Find(flavor);
  return found[flavor];
}

std::vector<std::string> Program(Flavor flavor) {
  std::vector<std::string> argv = ProgramCommand(ProgramOf(flavor));
  argv.emplace_back("--no-defaults");
  return argv;
}

std::vector<std::string> Places(Flavor flavor, const std::string& data) {
  std::vector<std::string> arguments = {"--user=root", "--datadir=" + data};
  for (const auto& [name, value] : ProgramOptions(ProgramOf(flavor)))
    arguments.push_back("--" + name + "=" + value);
  return arguments;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

pid_t Spawn(const std::vector<std::string>& argv, const std::string& input,
            const std::string& output) {
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  const int in = open(input.c_str(), O_RDONLY | O_CLOEXEC);
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t pid = fork();
  if (pid != 0) {
    close(in);
    close(out);
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  execv(raw[0], raw.data());
  _exit(127);
}

void Initialise(Flavor flavor, const std::string& data) {
  fs::create_directories(data);
  const std::string sql = data + ".sql";
  std::ofstream file(sql);
  if (flavor == Flavor::kMySql) {
    file << kAdminSql;
    file.close();
    const auto argv =
        Program(flavor) + Places(flavor, data) +
        std::vector<std::string>{"--initialize-insecure", "--init-file=" + sql,
                                 "--innodb-redo-log-capacity=8M", "--log-error=" + data + ".log"};
    if (RunProgram(argv) != 0) std::abort();
    fs::remove(data + "/auto.cnf");  // every copy makes its own server_uuid
    return;
  }
  file << "CREATE DATABASE mysql;\nUSE mysql;\n";
  const std::string share = ProgramOf(flavor).share + "/";
  for (const char* name :
       {"mysql_system_tables.sql", "mariadb_system_tables.sql", "mysql_performance_tables.sql",
        "mariadb_performance_tables.sql", "mysql_system_tables_data.sql",
        "mariadb_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql"}) {
    std::ifstream part(share + name);
    if (part && part.peek() != EOF) file << part.rdbuf();
  }
  file << "FLUSH PRIVILEGES;\n" << kAdminSql;
  file.close();
  const auto argv = Program(flavor) + Places(flavor, data) +
                    std::vector<std::string>{"--bootstrap", "--innodb-log-file-size=8M",
                                             "--log-error=" + data + ".log", "--skip-log-bin"};
  if (RunProgram(argv, sql) != 0) std::abort();
}

// Made once per machine and root folder, then copied: an initialisation takes seconds.
std::string Template(Flavor flavor) {
  const std::string base = std::string(PANDORA_HA_BINARY_DIR) + "/test-servers/";
  fs::create_directories(base);
  const std::string name = base + std::string(ToString(flavor)) + "-" +
                           std::to_string(std::hash<std::string>{}(ProgramOf(flavor).binary));
  const int lock = open((name + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  flock(lock, LOCK_EX);
  if (!fs::exists(name)) {
    fs::remove_all(name + ".new");
    Initialise(flavor, name + ".new");
    fs::rename(name + ".new", name);
  }
  close(lock);
  return name;
}

}  // namespace

std::string WhyUnavailable(Flavor flavor) {
  const auto found = Find(flavor);
  return found.ok() ? "" : found.error().message;
}

bool WaitUntil(Milliseconds budget, const std::function<bool()>& condition) {
  const Deadline deadline = In(budget);
  while (!condition()) {
    if (deadline.passed()) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

std::string LoopbackAddress(int host) {
  const unsigned pid = static_cast<unsigned>(getpid());
  return "127." + std::to_string(64 + (pid >> 12) % 64) + "." +
         std::to_string(1 + (pid >> 4) % 250) + "." +
         std::to_string((pid & 15) * 10 + 1 + static_cast<unsigned>(host));
}

std::string TestDirectory(const std::string& name) {
  const std::string path = "/tmp/pandora-ha-test-" + std::to_string(getpid()) + "/" + name;
  fs::remove_all(path);
  fs::create_directories(path);
  return path;
}

int RunProgram(const std::vector<std::string>& argv, const std::string& input_file) {
  const pid_t pid = Spawn(argv, input_file, "/dev/null");
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TestServer::TestServer(Flavor flavor, int host, ServerId server_id,
                       std::vector<std::string> arguments)
    : flavor_(flavor), server_id_(server_id), arguments_(std::move(arguments)) {
  address_ = {LoopbackAddress(host), 3306};
  directory_ = TestDirectory("server" + std::to_string(host));
  fs::copy(Template(flavor), directory_ + "/data", fs::copy_options::recursive);
  Start();
}

TestServer::~TestServer() {
  Kill();
  fs::remove_all(directory_);
  std::error_code not_empty;
  fs::remove(fs::path(directory_).parent_path(), not_empty);
}

std::vector<std::string> TestServer::CommandLine() const {
  const std::string id = std::to_string(server_id_);
  std::vector<std::string> argv =
      Program(flavor_) + Places(flavor_, directory_ + "/data") +
      std::vector<std::string>{"--socket=" + directory_ + "/s", "--pid-file=" + directory_ + "/pid",
                               // A starting server empties it.
                               "--tmpdir=" + directory_, "--log-error=" + directory_ + "/log",
                               "--bind-address=" + address_.host, "--port=3306",
                               "--server-id=" + id, "--skip-name-resolve", "--log-bin=bin",
                               "--relay-log=relay", "--innodb-buffer-pool-size=16M",
                               "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1"};
  if (flavor_ == Flavor::kMySql) {
    return argv +
           std::vector<std::string>{"--mysqlx=OFF",
                                    "--secure-file-priv=NULL",
                                    "--gtid-mode=ON",
                                    "--enforce-gtid-consistency=ON",
                                    "--relay-log-recovery=ON",
                                    "--plugin-load=semisync_source.so;semisync_replica.so",
                                    "--innodb-redo-log-capacity=8M",
                                    "--super-read-only=ON",
                                    "--skip-replica-start"} +
           arguments_;
  }
  return argv + std::vector<std::string>{"--log-slave-updates",   "--binlog-format=ROW",
                                         "--gtid-strict-mode=ON", "--innodb-log-file-size=8M",
                                         "--read-only=ON",        "--skip-slave-start"} +
         arguments_;
}

void TestServer::Start() {
  pid_ = Spawn(CommandLine(), "/dev/null", directory_ + "/output");
  std::string why = "its process ended";
  const bool up = WaitUntil(Seconds(30), [&] {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
    if (pid_ < 0) return true;
    const auto session =
        Session::Connect({address_, "admin", Secret("admin-pw"), {}}, In(Seconds(2)));
    if (!session) why = session.error().message;
    return session.ok();
  });
  if (!up || pid_ < 0) {
    std::fprintf(stderr, "the test's server did not start: %s\n", why.c_str());
    std::ifstream log(directory_ + "/log");
    for (std::string line; std::getline(log, line);) std::fprintf(stderr, "%s\n", line.c_str());
    std::abort();
  }
}

void TestServer::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void TestServer::Signal(int number) {
  kill(pid_, number);
  if (number != SIGSTOP) return;
  // The signal is on its way when kill() returns; a thread that still runs would answer.
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED);
}

std::unique_ptr<Session> TestServer::Admin() const {
  auto session = Session::Connect({address_, "admin", Secret("admin-pw"), {}}, In(Seconds(10)));
  if (!session) {
    std::fprintf(stderr, "%s\n", session.error().message.c_str());
    std::abort();
  }
  return std::move(*session);
}

std::string TestServer::Sql(const std::string& sql) const {
  const auto answers = Admin()->QueryAll(sql, In(Seconds(10)));
  if (!answers || answers->stopped_by) {
    std::fprintf(stderr, "%s: %s\n", sql.c_str(),
                 (answers ? *answers->stopped_by : answers.error()).message.c_str());
    std::abort();
  }
  const Rows& last = answers->tables.back();
  return last.empty() ? "" : last.cells[0][0].value_or("");
}

ClusterSpec TestSpec() {
  ClusterSpec spec;
  spec.name = "test";
  spec.database.schema = "pandora_test";
  spec.database.credentials.admin.user = "admin";
  spec.database.credentials.replication.user = "replica";
  spec.database.credentials.application.user = "pandora";
  return spec;
}

ResolvedCredentials TestPasswords() {
  return {Secret("admin-pw"), Secret("replica's \"pw\"\\"), Secret("application-pw")};
}

std::unique_ptr<DatabaseNode> NodeFor(const TestServer& server) {
  DatabaseNodeSpec node;
  node.address = server.address().host;
  return MakeDatabaseNode(DatabaseNodeOptionsFor(TestSpec(), node, TestPasswords()));
}

}  // namespace pandora_ha::testing
