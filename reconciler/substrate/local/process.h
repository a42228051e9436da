// Processes and descriptors of this machine, as far as a supervisor needs them.
//
// A process is named by pid and start time together: a pid alone may already belong to somebody
// else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/base/system_error.h"

namespace pandora_ha {

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: clock ticks since boot

  bool operator==(const ProcessId&) const = default;
};

// The questions below decide whether a server is proven dead. "There is none" is an answer of its
// own, kNotFound or an empty value; every other error says that this machine could not tell (a full
// table of descriptors, an unreadable file) and must never be taken for an end.

// kNotFound: no such process (a zombie counts as none).
Result<ProcessId> IdentifyProcess(pid_t pid);

// A descriptor that becomes readable when exactly this process ends. kNotFound: it has ended.
Result<Descriptor> OpenProcess(const ProcessId& process);

// The same for a child of ours that is not reaped yet: its number is still its own. Invalid, with
// errno, when the machine gives no descriptor.
Descriptor OpenChild(pid_t child);
void SignalProcess(const Descriptor& process, int number);

// A killed process that cannot end yet, because the kernel holds its last threads in a sleep that
// no signal ends (a disk that does not answer). None of it will run an instruction of its own
// again.
bool OnlyTheKernelHolds(pid_t pid);

// This user's processes with `argument` as one whole word of their command line, directly after
// the word `after` unless that is empty.
Result<std::vector<ProcessId>> FindProcesses(std::string_view argument,
                                             std::string_view after = "");

// Kills this user's processes with `argument` as one word of their command line, each with its
// session, and waits for their end.
Status EndProcesses(std::string_view argument, Deadline deadline);

// Who holds a write lock (fcntl) on this file. Empty: nobody, or there is no such file. A holder
// that cannot be named (of another PID namespace, or ending at this moment) is an error.
Result<std::optional<ProcessId>> HolderOfLock(const std::string& path);

struct SpawnOptions {
  std::vector<std::string> argv;         // argv[0] is an absolute path; no shell, no search
  std::vector<std::string> environment;  // added to a fixed PATH; nothing is inherited
  int input = -1;                        // becomes standard input; -1: /dev/null
  int output = -1;                       // becomes standard output and error; -1: /dev/null
  int error = -1;                        // becomes standard error; -1: as output
  bool new_session = false;
};

// The child starts with every signal at its default and none blocked, and with no descriptor but
// 0, 1 and 2, whatever the caller's other threads have open. The caller reaps it.
Result<pid_t> Spawn(const SpawnOptions& options);

struct Finished {
  int exit_status = 0;  // as waitpid gives it
  std::string
      output;  // at most 64 KiB of standard output and error, unless options.output took them
};

// Runs a short command to its end; kills it when the deadline passes.
Result<Finished> RunToEnd(SpawnOptions options, Deadline deadline);

// "exit code 1", "killed by signal 9 (SIGKILL)"
std::string DescribeExit(int wait_status);

// Creates or replaces a file of mode 0600, whole or not at all.
Status WritePrivateFile(const std::string& path, std::string_view content);

}  // namespace pandora_ha
