#include "reconciler/substrate/local/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace pandora_ha {
namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

bool HasArgument(const std::string& command_line, std::string_view argument,
                 std::string_view after) {
  std::istringstream words(command_line);
  std::string before;
  for (std::string word; std::getline(words, word, '\0'); before = word) {
    if (word == argument && (after.empty() || before == after)) return true;
  }
  return false;
}

// kNotFound: the process is gone, before or while it was read.
Result<std::string> ReadProcessFile(pid_t pid, const std::string& name) {
  const std::string path = "/proc/" + std::to_string(pid) + name;
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  for (char buffer[4096];;) {
    const ssize_t got = file.open() ? read(file.get(), buffer, sizeof buffer) : -1;
    if (got == 0) return text;
    if (got > 0) {
      text.append(buffer, static_cast<std::size_t>(got));
    } else if (errno == ENOENT || errno == ESRCH) {
      return Error{ErrorCode::kNotFound, "there is no process " + std::to_string(pid), errno};
    } else if (errno != EINTR) {
      return SystemError("cannot read " + path, errno);
    }
  }
}

}  // namespace

Result<ProcessId> IdentifyProcess(pid_t pid) {
  PHA_ASSIGN_OR_RETURN(const std::string stat, ReadProcessFile(pid, "/stat"));
  // The second field is the program's name in brackets and may itself hold brackets and spaces.
  const auto name_end = stat.rfind(')');
  std::istringstream fields(name_end == std::string::npos ? "" : stat.substr(name_end + 1));
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") {
    return Error{ErrorCode::kNotFound, "process " + std::to_string(pid) + " has ended"};
  }
  for (int number = 4; number <= 22; ++number) fields >> field;
  if (!fields) {
    return Error{ErrorCode::kIo, "/proc/" + std::to_string(pid) + "/stat is not understood"};
  }
  return ProcessId{pid, std::strtoull(field.c_str(), nullptr, 10)};
}

// kill() marks every thread before it returns, and a marked thread leaves the kernel only to end.
// So one that is seen asleep in there (D) once can be counted out, whatever it does later.
bool OnlyTheKernelHolds(pid_t pid) {
  const auto status = ReadProcessFile(pid, "/status");
  if (!status.ok()) return false;
  constexpr std::string_view kPending = "\nShdPnd:";
  const auto at = status->find(kPending);
  if (at == std::string::npos) return false;
  const auto pending = std::strtoull(status->c_str() + at + kPending.size(), nullptr, 16);
  if ((pending & (1ULL << (SIGKILL - 1))) == 0) return false;
  std::error_code failed;
  std::filesystem::directory_iterator task("/proc/" + std::to_string(pid) + "/task", failed);
  for (; !failed && task != std::filesystem::directory_iterator(); task.increment(failed)) {
    const std::string id = task->path().filename().string();
    const auto stat = ReadProcessFile(pid, "/task/" + id + "/stat");
    if (!stat.ok()) continue;  // it has ended
    const auto name_end = stat->rfind(')');
    if (name_end == std::string::npos || name_end + 2 >= stat->size()) return false;
    const char state = (*stat)[name_end + 2];
    if (state != 'D' && state != 'Z' && state != 'X') return false;
  }
  return !failed;
}

// By number, because glibc 2.36 declares its wrappers of these two without C linkage.
Descriptor OpenChild(pid_t child) {
  return Descriptor(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
}

void SignalProcess(const Descriptor& process, int number) {
  if (process.open()) syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

Result<Descriptor> OpenProcess(const ProcessId& process) {
  Descriptor fd = OpenChild(process.pid);
  const std::string name = "process " + std::to_string(process.pid);
  if (!fd.open() && errno != ESRCH) return SystemError("cannot watch " + name, errno);
  if (fd.open()) {
    // Asked after the opening, so that the descriptor cannot be a later owner of the number.
    PHA_ASSIGN_OR_RETURN(const ProcessId now, IdentifyProcess(process.pid));
    if (now == process) return fd;
  }
  return Error{ErrorCode::kNotFound, name + " has ended"};
}

Result<std::vector<ProcessId>> FindProcesses(std::string_view argument, std::string_view after) {
  std::vector<ProcessId> found;
  std::error_code failed;
  std::filesystem::directory_iterator entry("/proc", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::string path = entry->path().string();
    const auto pid = static_cast<pid_t>(std::strtol(path.c_str() + sizeof "/proc", nullptr, 10));
    struct stat owner {};
    if (pid <= 0 || stat(path.c_str(), &owner) != 0 || owner.st_uid != geteuid()) continue;
    const auto command_line = ReadProcessFile(pid, "/cmdline");
    if (command_line.ok() && !HasArgument(*command_line, argument, after)) continue;
    const auto process = command_line.ok() ? IdentifyProcess(pid) : command_line.error();
    if (process.ok()) {
      found.push_back(*process);
    } else if (process.error().code != ErrorCode::kNotFound) {
      return process.error();
    }
  }
  if (failed) return SystemError("cannot list this machine's processes", failed.value());
  return found;
}

Result<std::optional<ProcessId>> HolderOfLock(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open() && errno == ENOENT) return std::optional<ProcessId>();
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (!file.open() || fcntl(file.get(), F_GETLK, &lock) != 0) {
    return SystemError("cannot ask who holds " + path, errno);
  }
  if (lock.l_type == F_UNLCK) return std::optional<ProcessId>();
  const auto holder = IdentifyProcess(lock.l_pid);
  if (holder.ok()) return std::optional(*holder);
  return Error{ErrorCode::kIo,
               path + " is held by a process that cannot be named: " + holder.error().message};
}

Result<pid_t> Spawn(const SpawnOptions& options) {
  std::vector<std::string> environment = options.environment;
  environment.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (options.input >= 0) {
    posix_spawn_file_actions_adddup2(&files, options.input, STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  if (options.output >= 0) {
    posix_spawn_file_actions_adddup2(&files, options.output, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&files, options.error >= 0 ? options.error : STDOUT_FILENO,
                                   STDERR_FILENO);
  // Asio opens its sockets without CLOEXEC: a supervisor, which outlives the manager, would keep
  // the manager's port and the next manager could not listen.
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags = static_cast<short>(flags | POSIX_SPAWN_SETSID);
  posix_spawnattr_setflags(&attributes, flags);

  pid_t pid = 0;
  const int failed = posix_spawn(&pid, options.argv.front().c_str(), &files, &attributes,
                                 Pointers(options.argv).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) return SystemError("cannot start " + options.argv.front(), failed);
  return pid;
}

Result<Finished> RunToEnd(SpawnOptions options, Deadline deadline) {
  const bool capture = options.output < 0;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe", errno);
  Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  if (capture) options.output = writer.get();
  PHA_ASSIGN_OR_RETURN(const pid_t pid, Spawn(options));
  writer.Close();
  const Descriptor process = OpenChild(pid);

  Finished finished;
  bool timed_out = false;
  constexpr std::size_t kMost = 64 * 1024;
  // The process's end, not the pipe's, ends the wait: a grandchild may keep the pipe open.
  for (bool ended = false; !ended;) {
    pollfd waits[2] = {{process.get(), POLLIN, 0}, {reader.get(), POLLIN, 0}};
    if (poll(waits, 2, deadline.poll_milliseconds()) == 0) {
      timed_out = true;
      kill(pid, SIGKILL);
      break;
    }
    ended = (waits[0].revents & POLLIN) != 0;
    char buffer[4096];
    while (waits[1].fd >= 0 && (waits[1].revents & (POLLIN | POLLHUP)) != 0) {
      const ssize_t got = read(reader.get(), buffer, sizeof buffer);
      if (got <= 0) {
        reader.Close();
        break;
      }
      if (finished.output.size() < kMost)
        finished.output.append(buffer, static_cast<std::size_t>(got));
      if (poll(&waits[1], 1, 0) <= 0) break;
    }
  }
  while (waitpid(pid, &finished.exit_status, 0) < 0 && errno == EINTR) {
  }
  if (timed_out) {
    return Error{ErrorCode::kTimeout, options.argv.front() + " did not end in time and was killed"};
  }
  return finished;
}

std::string DescribeExit(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* name = sigabbrev_np(number);
    return "killed by signal " + std::to_string(number) +
           (name ? " (SIG" + std::string(name) + ")" : "");
  }
  return "exit code " + std::to_string(WEXITSTATUS(wait_status));
}

Status WritePrivateFile(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  {
    Descriptor file(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.open()) return SystemError("cannot write " + temporary, errno);
    for (std::size_t done = 0; done < content.size();) {
      const ssize_t wrote = write(file.get(), content.data() + done, content.size() - done);
      if (wrote < 0) return SystemError("cannot write " + temporary, errno);
      done += static_cast<std::size_t>(wrote);
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return SystemError("cannot replace " + path, errno);
  return Ok();
}

Status EndProcesses(std::string_view argument, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const auto found, FindProcesses(argument));
  for (const ProcessId& id : found) {
    const auto process = OpenProcess(id);
    if (!process.ok() && process.error().code == ErrorCode::kNotFound) continue;
    if (!process.ok()) return process.error();
    kill(-id.pid, SIGKILL);  // it has a session of its own, and maybe children
    SignalProcess(*process, SIGKILL);
    pollfd wait{process->get(), POLLIN, 0};
    if (poll(&wait, 1, deadline.poll_milliseconds()) == 0) {
      return Error{ErrorCode::kTimeout, "process " + std::to_string(id.pid) + " (" +
                                            std::string(argument) + ") does not end by SIGKILL"};
    }
  }
  return Ok();
}

}  // namespace pandora_ha
