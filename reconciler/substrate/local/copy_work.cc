#include "reconciler/substrate/local/copy_work.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr Duration kTellEvery = Milliseconds(500);
constexpr Seconds kStalledAfter{600};  // without a byte

// Bytes that a child has read and written by now; the same again when that cannot be told.
std::string TrafficOf(pid_t child) {
  std::ifstream file("/proc/" + std::to_string(child) + "/io");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Remedy(const ServerProgram& program, const std::string& name) {
  if (!program.root.empty()) return " in " + program.root;
  if (name == "mariadb-backup" || name == "mbstream") return "; install mariadb-backup";
  if (name.starts_with("mariadb")) return "; install mariadb-client";
  if (name.starts_with("x")) return "; install Percona XtraBackup, or say method: auto";
  return "; install the MySQL client";
}

}  // namespace

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

Result<CopyTool> FindTool(const ServerProgram& program, const std::string& name) {
  const std::string beside = fs::path(program.binary).parent_path().string();
  for (const std::string& folder :
       {beside, program.root + "/usr/bin", program.root + "/usr/local/bin"}) {
    ServerProgram tool = program;
    tool.binary = folder + "/" + name;
    if (access(tool.binary.c_str(), X_OK) == 0) return CopyTool{name, ProgramCommand(tool)};
  }
  return Error{ErrorCode::kNotFound, name + " is not installed" + Remedy(program, name)};
}

Result<Descriptor> PrivateFile(const std::string& text) {
  Descriptor file(memfd_create("pandora-ha-copy", MFD_CLOEXEC));
  // A server ignores an option file that everybody may write.
  if (!file.open() || fchmod(file.get(), 0600) != 0 ||
      write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return SystemError("cannot fill a memory file", errno);
  }
  return file;
}

std::string OptionText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string LoginOptions(const CopyJob& job, const std::string& section) {
  return "[" + section + "]\nuser=" + OptionText(job.admin_user) +
         "\npassword=" + OptionText(job.admin_password.Reveal()) +
         "\nsocket=" + OptionText(job.source_directory + "/server.sock") + "\n";
}

CopyWork::CopyWork(const CopyJob& job)
    : job_(job),
      made_(job.directory + "/data.new"),
      log_(open((job.directory + "/copy.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                0600)),
      expected_(SizeOfData(job.source_directory + "/data")) {}

void CopyWork::Tell(const std::string& why) const {
  const Json json = {{"bytes", bytes_}, {"expected", expected_}, {"how", job_.how}, {"why", why}};
  // Told again soon; a full disk is told by the copy itself.
  [[maybe_unused]] const Status told =
      WritePrivateFile(job_.directory + kCopyProgressFile,
                       json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Status CopyWork::WaitFor(pid_t child, const std::string& what) const {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Ok();
  return Error{ErrorCode::kIo, what + " failed (" + DescribeExit(status) + ")" + SeeLog()};
}

Status CopyWork::RunTool(const CopyTool& tool, const std::vector<std::string>& environment,
                         const std::function<std::int64_t()>& measure) {
  SpawnOptions spawn{.argv = tool.argv, .environment = environment};
  spawn.input = tool.input;
  spawn.output = log_.get();
  PHA_ASSIGN_OR_RETURN(const pid_t child, Spawn(spawn));
  const Descriptor process = OpenChild(child);
  std::string sign;
  Deadline stalled(SystemClock(), kStalledAfter);
  for (pollfd end{process.get(), POLLIN, 0}; poll(&end, 1, 500) == 0;) {
    if (measure) {
      bytes_ = measure();
      Tell();
    }
    if (std::string now = TrafficOf(child) + std::to_string(bytes_); now != sign) {
      sign = std::move(now);
      stalled = Deadline(SystemClock(), kStalledAfter);
    }
    if (stalled.passed()) kill(child, SIGKILL);
  }
  return WaitFor(child, tool.name);
}

Status CopyWork::Pipe(const CopyTool& writer, CopyTool reader, const std::string& last,
                      int output) {
  int out[2], in[2];
  if (pipe2(out, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  Descriptor writer_read(out[0]), writer_write(out[1]);
  if (pipe2(in, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  Descriptor reader_read(in[0]), reader_write(in[1]);

  SpawnOptions to{.argv = std::move(reader.argv), .environment = {}};
  to.input = reader_read.get();
  to.output = output >= 0 ? output : log_.get();
  to.error = log_.get();
  SpawnOptions from{.argv = writer.argv, .environment = {}};
  from.input = writer.input;
  from.output = writer_write.get();
  from.error = log_.get();
  PHA_ASSIGN_OR_RETURN(const pid_t reading, Spawn(to));
  reader_read.Close();
  const auto writing = Spawn(from);
  writer_write.Close();
  const Status pumped = writing.ok() ? Pump(writer_read.get(), reader_write.get(), writer.name)
                                     : Status(writing.error());
  writer_read.Close();
  if (!pumped.ok() && writing.ok()) kill(*writing, SIGKILL);
  const Status written = writing.ok() ? WaitFor(*writing, writer.name) : Ok();
  // A reader that is told the end of half a stream may take it for the whole.
  if (!written.ok() || !pumped.ok()) kill(reading, SIGKILL);
  const bool sent = last.empty() || write(reader_write.get(), last.data(), last.size()) ==
                                        static_cast<ssize_t>(last.size());
  reader_write.Close();
  const Status read = WaitFor(reading, reader.name);
  // Of the two, the one that failed by itself: a broken pipe is the other's fault.
  if (!pumped.ok() && !read.ok() && read.error().message.find("SIGKILL") == std::string::npos)
    return read;
  if (!written.ok()) return written;
  if (!pumped.ok()) return pumped;
  if (!read.ok()) return read;
  return sent ? Ok() : Status(Error{ErrorCode::kIo, "what " + writer.name + " sent is not ended"});
}

// Between the two pipes, so that the bytes can be counted. They do not pass through this process.
Status CopyWork::Pump(int from, int to, const std::string& what) {
  constexpr std::size_t kAtOnce = 1 << 20;
  for (;;) {
    pollfd wait{from, POLLIN, 0};
    const int ready = poll(&wait, 1, static_cast<int>(Milliseconds(kStalledAfter).count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      return Error{ErrorCode::kTimeout,
                   what + " has sent nothing for " + FormatDuration(kStalledAfter) + SeeLog()};
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

}  // namespace pandora_ha
