// The process that owns one node's database server.
//
// A supervisor is started in a session of its own and outlives the managers that talk to it: a
// manager that crashes or is replaced changes nothing for the server. It never starts a server by
// itself, except where a start allowed it (restart in place, exit code 16), and it reports the
// server's end to every connected manager as soon as the kernel reports it: that report is the
// proof of death that a failover may act on. When the supervisor itself dies, its server goes on,
// and the next supervisor of the directory adopts it.
#pragma once

#include <string>

namespace pandora_ha {

struct SupervisorOptions {
  // The node's own; made when missing, mode 0700. Holds supervisor.{sock,lock,log} beside the
  // server's files.
  std::string directory;
  // True: returns (in the calling process) when the socket answers, and goes on in a child process
  // that nobody has to reap. REQUIRES: no other thread runs.
  bool detach = false;
};

// What RunSupervisor returns, which is meant as a process's exit code.
constexpr int kSupervisorDone = 0;          // ended as asked; with `detach`: it answers now
constexpr int kSupervisorFailed = 1;        // the reason is in the log
constexpr int kSupervisorAlreadyThere = 3;  // another one holds the directory

// Runs until a manager says quit, or SIGTERM or SIGINT came: then the server is stopped cleanly
// first.
int RunSupervisor(const SupervisorOptions& options);

}  // namespace pandora_ha
