// What the engines of a copy share: the job, its tools' processes, its log and its progress.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/substrate/local/copier.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

// A program of the server's package: what people call it, and how it is started.
struct CopyTool {
  std::string name;
  std::vector<std::string> argv;
  int input = -1;  // becomes its standard input
};

// The tool beside the server's binary, in its root folder, or installed. kNotFound says what to
// install.
Result<CopyTool> FindTool(const ServerProgram& program, const std::string& name);

// Of one data directory, what a copy has too: no binary or relay logs, no redo log, no temporary
// tables.
std::int64_t SizeOfData(const std::string& directory);

// A nameless file that becomes a child's standard input; it holds a password.
Result<Descriptor> PrivateFile(const std::string& text);

// "Quoted" as option files have it.
std::string OptionText(const std::string& text);
// The section of an option file with which a tool logs in at the source.
std::string LoginOptions(const CopyJob& job, const std::string& section);

// One copy under way. Not for several threads.
class CopyWork {
 public:
  explicit CopyWork(const CopyJob& job);

  const CopyJob& job() const { return job_; }
  const std::string& made() const { return made_; }  // the directory that is to be filled
  int log() const { return log_.get(); }
  std::string SeeLog() const { return "; see " + job_.directory + "/copy.log"; }

  // What the supervisor reads. `why`: it failed.
  void Tell(const std::string& why = "") const;

  // To its end. `measure` gives what is done by now. One that neither reads nor writes for long,
  // and whose measure stands still, is killed.
  Status RunTool(const CopyTool& tool, const std::vector<std::string>& environment = {},
                 const std::function<std::int64_t()>& measure = nullptr);
  // What `writer` puts out is `reader`'s input, to their ends; the bytes are counted. `last` is
  // sent after it, when all of it was; what `reader` puts out goes to `output`, else to the log.
  Status Pipe(const CopyTool& writer, CopyTool reader, const std::string& last = "",
              int output = -1);
  Status WaitFor(pid_t child, const std::string& what) const;

 private:
  Status Pump(int from, int to, const std::string& what);

  const CopyJob& job_;
  const std::string made_;
  const Descriptor log_;
  std::int64_t bytes_ = 0, expected_ = 0;
  TimePoint told_at_{};
};

}  // namespace pandora_ha
