// Keeps what a node committed by itself: the archives in DIRECTORY/archive (see binlog/archive.h).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/binlog/archive.h"
#include "reconciler/model/observation.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {

// The command that makes an archive: `program` calls RunArchiver() when its words end with
// "archive" and this option. The order is its standard input.
InitialiseCommand ArchiveCommand(const std::string& program, const std::string& directory,
                                 const ArchiveOrder& order);

// Reads the order from standard input, does it, and returns the process's exit code. Tells how far
// it is, and why it failed, in DIRECTORY/archive.progress.
int RunArchiver();

// The supervisor's side: one archiver at a time, a process of its own that only reads what is the
// server's. Belongs to the supervisor's single thread.
class ArchiveRun {
 public:
  // `changed` is called on every change of seen(). `clock` must outlive the object.
  ArchiveRun(std::string directory, const Clock& clock, std::function<void()> changed);
  ~ArchiveRun() { Stop(); }

  // Ends what a predecessor began, and learns of the newest archive that is there.
  Status Adopt();
  // Answered when it has begun. The same order again changes nothing; kConflict: another one is
  // being done.
  Status Start(const std::string& id, const InitialiseCommand& command);
  void Stop();

  const std::optional<ArchiveSeen>& seen() const { return seen_; }
  bool busy() const { return process_.open(); }
  // Readable when OnProcessEnd() is to be called; -1: no process.
  int watch_descriptor() const { return process_.get(); }
  void OnProcessEnd();
  void LookAtProgress();

 private:
  void Read(const std::string& id);

  const std::string directory_;
  const Clock& clock_;
  const std::function<void()> changed_;
  std::optional<ArchiveSeen> seen_;
  Descriptor process_;  // pidfd
  pid_t pid_ = 0;
};

}  // namespace pandora_ha
