// Copies that do not take the server's files: a dump, and a site's own script.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "reconciler/substrate/local/copy_engines.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

constexpr char kSeedName[] = "the server that takes in the dump";
constexpr Seconds kSeedStart{120};  // it recovers nothing: it was made a moment before

// A server on data.new that takes the dump in: it has no network, asks nobody for a password, and
// reads no file for its clients. Killed when it goes out of scope before it has been ended.
class Seed {
 public:
  explicit Seed(const CopyWork& work) : work_(work), socket_(work.job().directory + "/copy.sock") {}
  ~Seed() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Seed(const Seed&) = delete;
  Seed& operator=(const Seed&) = delete;

  const std::string& socket() const { return socket_; }
  Status Start();
  // A clean shutdown: what it took in is in its files.
  Status End() {
    kill(child_, SIGTERM);
    return work_.WaitFor(std::exchange(child_, 0), kSeedName);
  }

 private:
  bool Answers() const;

  const CopyWork& work_;
  const std::string socket_;
  pid_t child_ = 0;
};

Status Seed::Start() {
  const CopyJob& job = work_.job();
  unlink(socket_.c_str());
  SpawnOptions server{.argv = ProgramCommand(job.program), .environment = {}};
  const bool maria_db = job.program.flavor == Flavor::kMariaDb;
  const std::string no_files = maria_db ? job.directory + "/tmp/none" : "NULL";
  for (const std::string& word :
       {"--defaults-file=" + job.directory + "/my.cnf", "--datadir=" + work_.made(),
        "--socket=" + socket_, "--pid-file=" + job.directory + "/copy.pid",
        "--log-error=" + job.directory + "/copy.log", "--secure-file-priv=" + no_files,
        std::string("--skip-networking"), std::string("--skip-grant-tables"),
        std::string("--skip-log-bin"), std::string("--read-only=OFF"),
        std::string("--local-infile=OFF"), std::string("--event-scheduler=OFF"),
        std::string("--max-allowed-packet=1G"),
        // Half of it is never used, and all of it is on the disk before its end is told.
        std::string("--innodb-flush-log-at-trx-commit=0")}) {
    server.argv.push_back(word);
  }
  if (maria_db) fs::create_directories(no_files);
  if (!maria_db) server.argv.emplace_back("--super-read-only=OFF");
  server.output = work_.log();
  PHA_ASSIGN_OR_RETURN(child_, Spawn(server));
  const Descriptor process = OpenChild(child_);
  for (const Deadline deadline(SystemClock(), kSeedStart); !Answers();) {
    pollfd end{process.get(), POLLIN, 0};
    if (poll(&end, 1, 20) > 0) {
      const Status ended = work_.WaitFor(std::exchange(child_, 0), kSeedName);
      return ended.ok() ? Error{ErrorCode::kIo, kSeedName + (" ended" + work_.SeeLog())} : ended;
    }
    if (deadline.passed())
      return Error{ErrorCode::kTimeout, kSeedName + (" does not answer" + work_.SeeLog())};
  }
  return Ok();
}

bool Seed::Answers() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_.c_str(), socket_.size());
  const Descriptor door(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(door.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

std::string DumpName(const CopyJob& job) {
  return job.program.flavor == Flavor::kMariaDb ? "mariadb-dump" : "mysqldump";
}
std::string ClientName(const CopyJob& job) {
  return job.program.flavor == Flavor::kMariaDb ? "mariadb" : "mysql";
}

std::string WholeFile(int file) {
  std::string text(4096, '\0');
  const ssize_t got = pread(file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace

Status CopyByDump(CopyWork& work) {
  const CopyJob& job = work.job();
  const bool maria_db = job.program.flavor == Flavor::kMariaDb;
  PHA_ASSIGN_OR_RETURN(CopyTool dump, FindTool(job.program, DumpName(job)));
  PHA_ASSIGN_OR_RETURN(CopyTool client, FindTool(job.program, ClientName(job)));
  PHA_ASSIGN_OR_RETURN(
      const InitialiseCommand fresh,
      InitialiseServer(job.program, job.directory, job.admin_user, job.admin_password));
  PHA_ASSIGN_OR_RETURN(const Descriptor statements, InputFile(fresh));
  PHA_TRY(work.RunTool({"the making of an empty server", fresh.argv, statements.get()}));
  Seed seed(work);
  PHA_TRY(seed.Start());

  PHA_ASSIGN_OR_RETURN(const Descriptor options, PrivateFile(LoginOptions(job, "client")));
  dump.input = options.get();
  dump.argv.emplace_back("--defaults-file=/dev/stdin");
  for (const char* word : {"--all-databases", "--single-transaction", "--quick", "--routines",
                           "--events", "--triggers", "--hex-blob", "--flush-privileges",
                           "--max-allowed-packet=1G", "--default-character-set=utf8mb4"}) {
    dump.argv.emplace_back(word);
  }
  // In binary mode a client obeys no command in what it reads.
  client.argv.insert(client.argv.end(),
                     {"--no-defaults", "--socket=" + seed.socket(), "--user=root", "--binary-mode",
                      "--local-infile=0", "--batch", "--skip-column-names",
                      "--max-allowed-packet=1G", "--default-character-set=utf8mb4"});
  std::string last;
  if (maria_db) {
    dump.argv.insert(dump.argv.end(), {"--master-data=1", "--gtid"});
    last = "\nSELECT @@global.gtid_slave_pos;\n";
  } else {
    dump.argv.insert(dump.argv.end(), {"--set-gtid-purged=ON"});
  }
  PHA_ASSIGN_OR_RETURN(const Descriptor said, PrivateFile(""));
  PHA_TRY(work.Pipe(dump, std::move(client), last, said.get()));
  PHA_TRY(seed.End());
  if (!maria_db) return Ok();
  std::string position = WholeFile(said.get());
  position.resize(position.find_last_not_of(" \n") + 1);
  // The dump told the server whom to follow; a manager does that.
  for (const char* name : {"/master.info", "/relay-log.info"}) unlink((work.made() + name).c_str());
  return WriteBinlogState(work, position);
}

Status CopyByScript(CopyWork& work) {
  const CopyJob& job = work.job();
  // As Pandora's configuration has it. Without a name on any disk; each opening reads it anew.
  PHA_ASSIGN_OR_RETURN(
      const Descriptor configuration,
      PrivateFile("dbengine mysql\ndbhost " + job.source.host + "\ndbport " +
                  std::to_string(job.source.port) + "\ndbname " + job.schema + "\ndbuser " +
                  job.admin_user + "\ndbpass " + job.admin_password.Reveal() + "\n"));
  const CopyTool script{job.script,
                        {job.script, "/dev/stdin", job.source.host, job.target.host},
                        configuration.get()};
  PHA_TRY(work.RunTool(
      script,
      {"PANDORA_HA_DATA=" + work.made(), "PANDORA_HA_SOURCE_DATA=" + job.source_directory + "/data",
       "PANDORA_HA_SOURCE_SOCKET=" + job.source_directory + "/server.sock",
       "PANDORA_HA_SOURCE_PORT=" + std::to_string(job.source.port),
       "PANDORA_HA_TARGET_PORT=" + std::to_string(job.target.port)},
      [&work] { return SizeOfData(work.made()); }));
  if (!fs::exists(work.made() + "/ibdata1"))
    return Error{ErrorCode::kIo, job.script + " ended well and left no data in " + work.made() +
                                     " (PANDORA_HA_DATA)" + work.SeeLog()};
  // Of the source; a server without it makes an identity of its own.
  unlink((work.made() + "/auto.cnf").c_str());
  if (job.program.flavor == Flavor::kMySql || fs::exists(work.made() + "/binlog.state"))
    return Ok();
  return WriteBinlogState(work, "");
}

Status CheckTools(const CopyJob& job, ResyncMethod method) {
  const bool maria_db = job.program.flavor == Flavor::kMariaDb;
  std::vector<std::string> names;
  switch (method) {
    case ResyncMethod::kAuto:
    case ResyncMethod::kClone:
      break;
    case ResyncMethod::kBackupStream:
      names = maria_db ? std::vector<std::string>{"mariadb-backup", "mbstream"}
                       : std::vector<std::string>{"xtrabackup", "xbstream"};
      break;
    case ResyncMethod::kDump:
      names = {DumpName(job), ClientName(job)};
      break;
    case ResyncMethod::kScript:
      if (access(job.script.c_str(), X_OK) == 0) break;
      return Error{ErrorCode::kNotFound, "the script " + job.script + " cannot be run (" +
                                             std::strerror(errno) +
                                             "); spec.database.resync.script names it"};
  }
  for (const std::string& name : names) {
    if (const auto tool = FindTool(job.program, name); !tool.ok()) return tool.error();
  }
  return Ok();
}

}  // namespace pandora_ha
