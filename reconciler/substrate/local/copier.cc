#include "reconciler/substrate/local/copier.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kProgressFile[] = "/copy.progress";
constexpr Duration kTellEvery = Milliseconds(500);
constexpr Seconds kStalledAfter{600};  // without a byte
constexpr double kSpace = 1.2;  // of what is copied; the redo log and what is written meanwhile

// Of one data directory, what a copy has too: no binary or relay logs, no redo log, no temporary
// tables.
std::int64_t SizeOfData(const std::string& directory) {
  std::int64_t bytes = 0;
  std::error_code failed;
  fs::recursive_directory_iterator entry(directory, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    const auto begins = [&](const char* with) { return name.starts_with(with); };
    if (begins("#innodb_redo") || begins("#innodb_temp")) entry.disable_recursion_pending();
    if (begins("binlog.") || begins("relay") || begins("ib_logfile") || begins("#ib_") ||
        begins("ibtmp")) {
      continue;
    }
    std::error_code gone;
    if (entry->is_regular_file(gone)) bytes += static_cast<std::int64_t>(entry->file_size(gone));
  }
  return bytes;
}

Result<std::vector<std::string>> Tool(const ServerProgram& program, const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/"}) {
    ServerProgram tool = program;
    tool.binary = tool.root + folder + name;
    if (access(tool.binary.c_str(), X_OK) == 0) return ProgramCommand(tool);
  }
  return Error{ErrorCode::kNotFound,
               name + " is not installed" +
                   (program.root.empty() ? "; install mariadb-backup" : " in " + program.root)};
}

// One copy under way.
class Copier {
 public:
  explicit Copier(const CopyJob& job)
      : job_(job),
        made_(job.directory + "/data.new"),
        log_(open((job.directory + "/copy.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                  0600)) {}

  Status Run() {
    expected_ = SizeOfData(job_.source_directory + "/data");
    Tell();
    PHA_TRY(CheckCopy(job_));
    PHA_TRY(job_.program.flavor == Flavor::kMariaDb ? Stream() : Clone());
    return MarkWhole();
  }
  void Tell(const std::string& why = "") const {
    const Json json = {{"bytes", bytes_}, {"expected", expected_}, {"why", why}};
    // Told again soon; a full disk is told by the copy itself.
    [[maybe_unused]] const Status told = WritePrivateFile(
        job_.directory + kProgressFile, json.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

 private:
  Status Stream();
  Status Pump(int from, int to);
  Status Prepare();
  Status WriteBinlogState();
  Status Clone();
  Status MarkWhole() const;

  // A nameless file that becomes a child's standard input; it holds a password.
  static Result<Descriptor> Private(const std::string& text);
  // To its end; `input` becomes its standard input, `measure` gives what is done by now. One that
  // neither reads nor writes for long is killed.
  Status RunTool(std::vector<std::string> argv, int input = -1,
                 const std::function<std::int64_t()>& measure = nullptr);
  Status WaitFor(pid_t child, const std::string& what) const;
  std::string SeeLog() const { return "; see " + job_.directory + "/copy.log"; }

  const CopyJob& job_;
  const std::string made_;
  const Descriptor log_;
  std::int64_t bytes_ = 0, expected_ = 0;
  TimePoint told_at_{};
};

Result<Descriptor> Copier::Private(const std::string& text) {
  Descriptor file(memfd_create("pandora-ha-copy", MFD_CLOEXEC));
  // A server ignores an option file that everybody may write.
  if (!file.open() || fchmod(file.get(), 0600) != 0 ||
      write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return SystemError("cannot fill a memory file", errno);
  }
  return file;
}

Status Copier::WaitFor(pid_t child, const std::string& what) const {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Ok();
  return Error{ErrorCode::kIo, what + " failed (" + DescribeExit(status) + ")" + SeeLog()};
}

// Bytes that a child has read and written by now; the same again when that cannot be told.
std::string TrafficOf(pid_t child) {
  std::ifstream file("/proc/" + std::to_string(child) + "/io");
  return {std::istreambuf_iterator<char>(file), {}};
}

Status Copier::RunTool(std::vector<std::string> argv, int input,
                       const std::function<std::int64_t()>& measure) {
  const std::string what = fs::path(argv.front()).filename().string();
  SpawnOptions spawn;
  spawn.argv = std::move(argv);
  spawn.input = input;
  spawn.output = log_.get();
  PHA_ASSIGN_OR_RETURN(const pid_t child, Spawn(spawn));
  const Descriptor process = OpenChild(child);
  std::string traffic;
  Deadline stalled(SystemClock(), kStalledAfter);
  for (pollfd end{process.get(), POLLIN, 0}; poll(&end, 1, 500) == 0;) {
    if (std::string now = TrafficOf(child); now != traffic) {
      traffic = std::move(now);
      stalled = Deadline(SystemClock(), kStalledAfter);
    }
    if (measure) {
      bytes_ = measure();
      Tell();
    }
    if (stalled.passed()) kill(child, SIGKILL);
  }
  return WaitFor(child, what);
}

// ---- MariaDB: a backup, streamed and prepared. ----

// "Quoted" as option files have it.
std::string OptionText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

Status Copier::Stream() {
  PHA_ASSIGN_OR_RETURN(auto backup, Tool(job_.program, "mariadb-backup"));
  PHA_ASSIGN_OR_RETURN(auto unpack, Tool(job_.program, "mbstream"));
  const std::string& from = job_.source_directory;
  PHA_ASSIGN_OR_RETURN(const Descriptor options,
                       Private("[mariadb-backup]\nuser=" + OptionText(job_.admin_user) +
                               "\npassword=" + OptionText(job_.admin_password.Reveal()) +
                               "\nsocket=" + OptionText(from + "/server.sock") +
                               "\ndatadir=" + OptionText(from + "/data") + "\n"));
  int out[2], in[2];
  if (pipe2(out, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  Descriptor backup_read(out[0]), backup_write(out[1]);
  if (pipe2(in, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  Descriptor unpack_read(in[0]), unpack_write(in[1]);

  SpawnOptions reader;
  reader.argv = std::move(unpack);
  reader.argv.insert(reader.argv.end(), {"-x", "-C", made_});
  reader.input = unpack_read.get();
  reader.output = log_.get();
  SpawnOptions writer;
  writer.argv = std::move(backup);
  writer.argv.insert(writer.argv.end(),
                     {"--defaults-file=/dev/stdin", "--backup", "--stream=mbstream", "--parallel=2",
                      "--target-dir=" + job_.directory + "/tmp"});
  writer.input = options.get();
  writer.output = backup_write.get();
  writer.error = log_.get();
  PHA_ASSIGN_OR_RETURN(const pid_t unpacking, Spawn(reader));
  unpack_read.Close();
  const auto backing_up = Spawn(writer);
  backup_write.Close();
  const Status pumped =
      backing_up.ok() ? Pump(backup_read.get(), unpack_write.get()) : backing_up.error();
  unpack_write.Close();
  backup_read.Close();
  if (!pumped.ok() && backing_up.ok()) kill(*backing_up, SIGKILL);
  const Status backed_up = backing_up.ok() ? WaitFor(*backing_up, "mariadb-backup") : Ok();
  const Status unpacked = WaitFor(unpacking, "mbstream");
  if (!backed_up.ok()) return backed_up;
  if (!unpacked.ok()) return unpacked;
  if (!pumped.ok()) return pumped;
  PHA_TRY(Prepare());
  return WriteBinlogState();
}

// Between the two pipes, so that the bytes can be counted. They do not pass through this process.
Status Copier::Pump(int from, int to) {
  constexpr std::size_t kAtOnce = 1 << 20;
  for (;;) {
    pollfd wait{from, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(Milliseconds(kStalledAfter).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      return Error{ErrorCode::kTimeout, "mariadb-backup has sent nothing for " +
                                            FormatDuration(kStalledAfter) + SeeLog()};
    }
    const ssize_t moved = splice(from, nullptr, to, nullptr, kAtOnce, SPLICE_F_MOVE);
    if (moved == 0) return Ok();
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return SystemError("cannot pass the stream on", errno);
    bytes_ += moved;
    if (const TimePoint now = SystemClock().Now().mono; now - told_at_ >= kTellEvery) {
      told_at_ = now;
      Tell();
    }
  }
}

Status Copier::Prepare() {
  PHA_ASSIGN_OR_RETURN(auto prepare, Tool(job_.program, "mariadb-backup"));
  prepare.insert(prepare.end(), {"--prepare", "--target-dir=" + made_});
  return RunTool(std::move(prepare));
}

// A server that finds no binary log takes its history from this file. Without it, the copy would
// know the last transaction of the last writer only, and seem to lack all others.
Status Copier::WriteBinlogState() {
  std::string position;
  for (const char* name : {"/mariadb_backup_binlog_info", "/xtrabackup_binlog_info"}) {
    std::string file, offset;
    std::ifstream(made_ + name) >> file >> offset >> position;
    if (!position.empty()) break;
  }
  PHA_ASSIGN_OR_RETURN(const GtidSet at, GtidSet::Parse(Flavor::kMariaDb, position));
  if (at.empty()) return Error{ErrorCode::kIo, "the backup does not tell its position" + SeeLog()};
  std::istringstream known(job_.source_history.ToString());
  std::ostringstream lines;
  const std::string last = "," + at.ToString() + ",";
  // The last line of a domain counts as its newest transaction.
  for (std::string one; std::getline(known, one, ',');) {
    const std::string writer = one.substr(0, one.rfind('-') + 1);
    if (last.find("," + writer) == std::string::npos) lines << one << "\n";
  }
  std::istringstream newest(at.ToString());
  for (std::string one; std::getline(newest, one, ',');) lines << one << "\n";
  return WritePrivateFile(made_ + "/binlog.state", lines.str());
}

// ---- MySQL: CLONE, into a directory that no server uses. ----

// A server of our own asks for the copy, whatever state the node's is in: one that nobody can reach
// and that ends with its only task.
Status Copier::Clone() {
  const std::string seed = job_.directory + "/data.seed";
  std::error_code failed;
  fs::remove_all(seed, failed);
  fs::remove(made_, failed);  // CLONE makes it
  const auto server = [&](std::vector<std::string> more) {
    std::vector<std::string> argv = ProgramCommand(job_.program);
    for (const std::string& word :
         {"--defaults-file=" + job_.directory + "/my.cnf", "--datadir=" + seed,
          "--log-error=" + job_.directory + "/copy.log", std::string("--super-read-only=OFF"),
          std::string("--read-only=OFF"), std::string("--skip-log-bin")}) {
      argv.push_back(word);
    }
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  };
  PHA_TRY(RunTool(server({"--initialize-insecure"})));
  PHA_ASSIGN_OR_RETURN(const Descriptor task,
                       Private("CLONE INSTANCE FROM " + SqlText(job_.admin_user) + "@" +
                               SqlText(job_.source.host) + ":" + std::to_string(job_.source.port) +
                               " IDENTIFIED BY " + SqlText(job_.admin_password.Reveal()) +
                               " DATA DIRECTORY = " + SqlText(made_) + ";\nSHUTDOWN;\n"));
  const Status cloned = RunTool(
      server({"--skip-networking", "--socket=" + job_.directory + "/copy.sock",
              "--pid-file=" + job_.directory + "/copy.pid",
              "--loose-clone-valid-donor-list=" + ToString(job_.source), "--init-file=/dev/stdin"}),
      task.get(), [&] { return SizeOfData(made_); });
  fs::remove_all(seed, failed);
  if (!cloned.ok()) return cloned;
  if (fs::exists(made_ + "/mysql.ibd")) return Ok();
  return Error{ErrorCode::kIo, "CLONE ended without a copy" + SeeLog()};
}

// The copy is on the disk before it says that it is whole.
Status Copier::MarkWhole() const {
  const Descriptor directory(open(made_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || syncfs(directory.get()) != 0)
    return SystemError("cannot flush " + made_, errno);
  PHA_TRY(WritePrivateFile(made_ + kCopyMark, job_.id + "\n"));
  if (syncfs(directory.get()) != 0) return SystemError("cannot flush " + made_, errno);
  return Ok();
}

CopyJob JobFrom(const Json& json) {
  CopyJob job;
  job.id = json.at("id").get<std::string>();
  job.program.flavor =
      json.at("flavor").get<std::string>() == "mysql" ? Flavor::kMySql : Flavor::kMariaDb;
  job.program.binary = json.at("binary").get<std::string>();
  job.program.root = json.at("root").get<std::string>();
  job.directory = json.at("directory").get<std::string>();
  job.source_directory = json.at("sourceDirectory").get<std::string>();
  job.source = {json.at("sourceHost").get<std::string>(),
                json.at("sourcePort").get<std::uint16_t>()};
  auto history = GtidSet::Parse(job.program.flavor, json.at("sourceHistory").get<std::string>());
  if (!history.ok()) throw std::invalid_argument(history.error().message);
  job.source_history = *std::move(history);
  job.admin_user = json.at("user").get<std::string>();
  job.admin_password = Secret(json.at("password").get<std::string>());
  return job;
}

}  // namespace

Status CheckCopy(const CopyJob& job) {
  const std::string from = job.source_directory + "/data";
  if (!fs::exists(from)) return Error{ErrorCode::kNotFound, "there is nothing to copy in " + from};
  if (job.program.flavor == Flavor::kMariaDb) {
    PHA_TRY(Tool(job.program, "mariadb-backup"));
    PHA_TRY(Tool(job.program, "mbstream"));
  }
  struct statvfs space {};
  if (statvfs(job.directory.c_str(), &space) != 0)
    return SystemError("cannot ask for the free space of " + job.directory, errno);
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize);
  const double needed = kSpace * static_cast<double>(SizeOfData(from));
  if (free >= needed) return Ok();
  const auto megabytes = [](double b) { return std::to_string(static_cast<long>(b / 1e6)); };
  return Error{ErrorCode::kRefused, "a copy needs " + megabytes(needed) + " MB in " +
                                        job.directory + " and " + megabytes(free) +
                                        " MB are free; make room there"};
}

InitialiseCommand CopyCommand(const std::string& copier, const CopyJob& job) {
  InitialiseCommand command;
  command.argv = {copier, "copy", "--datadir=" + job.directory + "/data.new"};
  command.before = Json{{"id", job.id},
                        {"flavor", job.program.flavor == Flavor::kMySql ? "mysql" : "mariadb"},
                        {"binary", job.program.binary},
                        {"root", job.program.root},
                        {"directory", job.directory},
                        {"sourceDirectory", job.source_directory},
                        {"sourceHost", job.source.host},
                        {"sourcePort", job.source.port},
                        {"sourceHistory", job.source_history.ToString()},
                        {"user", job.admin_user},
                        {"password", job.admin_password.Reveal()}}
                       .dump();
  return command;
}

int RunCopier() {
  umask(0077);
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  try {
    const CopyJob job = JobFrom(Json::parse(text));
    Copier copier(job);
    const Status done = copier.Run();
    if (done.ok()) return 0;
    copier.Tell(done.error().message);
    std::cerr << done.error().message << std::endl;
  } catch (const std::exception& thrown) {
    std::cerr << "the job is not understood: " << thrown.what() << std::endl;
  }
  return 1;
}

CopyProgress ReadCopyProgress(const std::string& directory) {
  std::ifstream file(directory + kProgressFile);
  const auto json = Json::parse(file, nullptr, false);
  CopyProgress progress;
  if (!json.is_object()) return progress;
  progress.bytes = json.value("bytes", std::int64_t{0});
  progress.expected = json.value("expected", std::int64_t{0});
  progress.why = json.value("why", "");
  return progress;
}

void ForgetCopyProgress(const std::string& directory) {
  unlink((directory + kProgressFile).c_str());
}

}  // namespace pandora_ha
