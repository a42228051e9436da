// A long work beside a database server, done by a process of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {

// A kind of job, by its name: "archive", "merge", "rewind", "verify". The process is `pandora-ha
// NAME-job
// --NAME-of=DIRECTORY` with the order on its standard input; it tells how far it is in
// DIRECTORY/NAME.progress and writes its words into DIRECTORY/NAME.log.
InitialiseCommand JobCommand(const std::string& program, const std::string& name,
                             const std::string& directory, const std::string& order);

// The archive that an order's id speaks of: "ARCHIVE@…".
std::string ArchiveOfOrder(const std::string& id);

// Where and as whom a job reaches a database server.
struct JobLogin {
  Address address;
  std::string user;
  Secret password;
  TlsSpec tls;
};
nlohmann::json ToJson(const JobLogin& login);
// Throws what the JSON library throws.
JobLogin JobLoginFrom(const nlohmann::json& json);

// The process's side.
class JobProgress {
 public:
  JobProgress(const std::string& name, const std::string& directory)
      : path_(directory + "/" + name + ".progress") {}

  // Writes twice a second at most.
  void Tell(std::int64_t done, std::int64_t all);
  // `error` ended it; kConflict: later it may go; kUnsupported: it never will.
  void Fail(const Error& error);

 private:
  void Write(const Error* error) const;

  const std::string path_;
  std::int64_t done_ = 0, all_ = 0;
  TimePoint told_at_{};
};

// The supervisor's side: one process of the kind at a time. The result alone says that a job is
// done, so a supervisor that has just started knows it, too. Belongs to the supervisor's single
// thread.
class JobRun {
 public:
  // Reads the result of an order and says how much was to be done (JobSeen::all); nothing: there is
  // no result.
  using TakeResult = std::function<std::optional<std::int64_t>(const std::string& id)>;

  // `changed` is called on every change of seen(). `clock` must outlive the object.
  JobRun(std::string name, std::string directory, const Clock& clock, TakeResult take_result,
         std::function<void()> changed);
  ~JobRun() { Stop(); }

  // Ends what a predecessor began. `newest` is the order whose result is to be taken; may be empty.
  Status Adopt(const std::string& newest);
  // Answered when it has begun. The same order again changes nothing; kConflict: another one is
  // being done.
  Status Start(const std::string& id, const InitialiseCommand& command);
  void Stop();
  // Ends that order's process, where it still runs: it has failed then, and may go later.
  void End(const std::string& id);

  const std::optional<JobSeen>& seen() const { return seen_; }
  bool busy() const { return process_.open(); }
  // Readable when OnProcessEnd() is to be called; -1: no process.
  int watch_descriptor() const { return process_.get(); }
  void OnProcessEnd();
  void LookAtProgress();

 private:
  void Take(const std::string& id);

  const std::string name_;
  const std::string directory_;
  const Clock& clock_;
  const TakeResult take_result_;
  const std::function<void()> changed_;
  std::optional<JobSeen> seen_;
  Descriptor process_;  // pidfd
  pid_t pid_ = 0;
};

}  // namespace pandora_ha
