// The program that makes one node's data directory from another's on this machine.
//
// A supervisor starts it as it starts `mysqld --initialize`: a process of its own, in a session of
// its own, that can be killed at any moment. It writes DIRECTORY/data.new and nothing else of the
// node; the supervisor puts that in place once it carries the mark of a whole copy. The source goes
// on serving. How: docs/decisions/0015-a-rebuild-is-a-start-from-a-copy.md.
#pragma once

#include <cstdint>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/spec.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {

// A file of a data directory that was made by a copy; its first line is the order's id.
inline constexpr char kCopyMark[] = "/pandora_ha_copy";
// How far a copy is; in the node's directory.
inline constexpr char kCopyProgressFile[] = "/copy.progress";

struct CopyJob {
  std::string id;
  ResyncMethod method = ResyncMethod::kAuto;
  std::string how;     // the same in words: "by CLONE"
  std::string script;  // method: script
  ServerProgram program;
  std::string directory;         // of the node that is made; holds my.cnf
  std::string source_directory;  // of the node that is copied; holds data/ and server.sock
  Address source, target;
  std::string schema;      // Pandora's
  GtidSet source_history;  // MariaDB: what the copy's own binary log state begins with
  std::string admin_user;
  Secret admin_password;
};

// Puts the fastest way that this machine has the tools for in the place of `auto`, and says in
// `how` which it is and why.
void ChooseMethod(CopyJob* job);

// What would make the copy fail, asked before anything is ended for it: the source, the tools, the
// room. REQUIRES: ChooseMethod().
Status CheckCopy(const CopyJob& job);

// The command that does `job`: `copier` is a program that calls RunCopier() when its words end with
// "copy" and this option. Everything else, with the password, is its standard input.
InitialiseCommand CopyCommand(const std::string& copier, const CopyJob& job);

// Reads the job from standard input, does it, and returns the process's exit code. Tells how far it
// is, and why it failed, in DIRECTORY/copy.progress; what its tools say is in DIRECTORY/copy.log.
int RunCopier();

struct CopyProgress {
  std::int64_t bytes = 0, expected = 0;
  std::string how;  // "by CLONE"
  std::string why;  // it failed
};
// As far as it can be read.
CopyProgress ReadCopyProgress(const std::string& directory);
void ForgetCopyProgress(const std::string& directory);

}  // namespace pandora_ha
