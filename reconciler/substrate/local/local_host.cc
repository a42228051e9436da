#include "reconciler/substrate/local/local_host.h"

#include <sys/stat.h>

#include <filesystem>

#include "reconciler/substrate/local/archiver.h"
#include "reconciler/substrate/local/copier.h"
#include "reconciler/substrate/local/merger.h"
#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/rewinder.h"
#include "reconciler/substrate/local/verifier.h"

namespace pandora_ha {
namespace {

// A supervisor accepts an order at once; one that does not is stopped, and must not hold the loop.
constexpr Seconds kAcceptWithin{2};

}  // namespace

Result<std::unique_ptr<LocalHost>> LocalHost::Open(LocalHostOptions options, const Clock& clock) {
  std::string& directory = options.settings.directory;
  std::error_code failed;
  std::filesystem::create_directories(directory + "/tmp", failed);
  // Canonical: the supervisor finds a running server by its command line.
  directory = std::filesystem::canonical(directory, failed).string();
  if (failed || chmod(directory.c_str(), 0700) != 0) {
    return Error{ErrorCode::kIo, "cannot make the directory " + options.settings.directory};
  }
  PHA_TRY(ServerConfiguration(options.program, options.settings));
  return std::unique_ptr<LocalHost>(new LocalHost(std::move(options), clock));
}

LocalHost::LocalHost(LocalHostOptions options, const Clock& clock)
    : directory_(options.settings.directory),
      options_(std::move(options)),
      client_({directory_, options_.supervisor_command, options_.on_change}, clock) {}

Status LocalHost::Change(LocalHostOptions options) {
  options.settings.directory = directory_;
  PHA_TRY(ServerConfiguration(options.program, options.settings));
  const std::lock_guard lock(mutex_);
  options_ = std::move(options);
  return Ok();
}

Seen<ProcessState> LocalHost::Process() const {
  const Seen<SupervisorState> state = client_.State();
  if (!state.known()) return Seen<ProcessState>::Unknown(state.why_unknown(), state.at());
  return Seen<ProcessState>::Known(state->process, state.at());
}

bool LocalHost::CanFence() const {
  return client_.State().known();
}

LocalHostOptions LocalHost::Options() const {
  const std::lock_guard lock(mutex_);
  return options_;
}

Result<SupervisorRequest> LocalHost::StartRequest(const LocalHostOptions& options,
                                                  bool discard) const {
  SupervisorRequest request;
  request.verb = SupervisorVerb::kStart;
  request.unfence = true;
  request.serve = ServeCommand(options.program, directory_, discard);
  request.serve_again = ServeCommand(options.program, directory_, false);
  request.restart_allowed = options.restart_allowed;
  const Seen<ProcessState> process = Process();
  if (!process.known() || process->phase != ProcessState::Phase::kRunning) {
    PHA_ASSIGN_OR_RETURN(const std::string text,
                         ServerConfiguration(options.program, options.settings));
    PHA_TRY(WritePrivateFile(directory_ + "/my.cnf", text));
  }
  return request;
}

Status LocalHost::Start(const StartOptions& how, Deadline deadline) {
  const LocalHostOptions options = Options();
  PHA_ASSIGN_OR_RETURN(SupervisorRequest request,
                       StartRequest(options, how.discard_unacknowledged));
  PHA_ASSIGN_OR_RETURN(
      request.initialise,
      InitialiseServer(options.program, directory_, options.admin_user, options.admin_password));
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::Rebuild(const CopyOptions& copy, Deadline deadline) {
  const LocalHostOptions options = Options();
  PHA_ASSIGN_OR_RETURN(SupervisorRequest request, StartRequest(options, false));
  const std::filesystem::path beside = std::filesystem::path(directory_).parent_path();
  CopyJob job;
  job.id = copy.id;
  job.method = copy.method;
  job.script = copy.script;
  job.program = options.program;
  job.directory = directory_;
  job.source_directory = (beside / copy.source.text).string();
  job.source = copy.source_address;
  job.target = options.settings.address;
  job.schema = options.schema;
  job.source_history = copy.source_history;
  job.admin_user = options.admin_user;
  job.admin_password = options.admin_password;
  ChooseMethod(&job);
  if (job.source_directory == directory_)
    return Error{ErrorCode::kRefused, "a node is not copied onto itself"};
  PHA_TRY(CheckCopy(job));
  request.initialise = CopyCommand(options.supervisor_command.front(), job);
  request.copy_id = copy.id;
  request.set_aside = copy.set_aside;
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::DiscardOldCopy(Deadline deadline) {
  return Ask(SupervisorVerb::kDiscardOld, deadline.Within(kAcceptWithin));
}

Status LocalHost::Archive(const ArchiveOptions& archive, Deadline deadline) {
  const LocalHostOptions options = Options();
  SupervisorRequest request;
  request.verb = SupervisorVerb::kArchive;
  request.job_id = archive.id;
  request.job = ArchiveCommand(
      options.supervisor_command.front(), directory_,
      {archive.id, options.node, options.program.flavor, directory_ + "/data/binlog.index",
       directory_ + "/archive", options.schema, archive.known, archive.own});
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::Merge(const MergeIntoPrimary& order, Deadline deadline) {
  const LocalHostOptions options = Options();
  SupervisorRequest request;
  request.verb = SupervisorVerb::kMerge;
  request.job_id = order.id;
  request.job =
      MergeCommand(options.supervisor_command.front(),
                   {order.id,
                    directory_,
                    order.archive,
                    order.primary,
                    {order.address, options.admin_user, options.admin_password, options.tls},
                    order.epoch});
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::Rewind(const std::string& id, const std::string& archive, Deadline deadline) {
  const LocalHostOptions options = Options();
  SupervisorRequest request;
  request.verb = SupervisorVerb::kRewind;
  request.job_id = id;
  request.job = RewindCommand(
      options.supervisor_command.front(),
      {id,
       directory_,
       archive,
       {options.settings.address, options.admin_user, options.admin_password, options.tls}});
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::Verify(const std::string& id, const NodeName& primary, const Address& address,
                         Deadline deadline) {
  const LocalHostOptions options = Options();
  JobLogin login{options.settings.address, options.admin_user, options.admin_password, options.tls};
  JobLogin primary_login = login;
  primary_login.address = address;
  SupervisorRequest request;
  request.verb = SupervisorVerb::kVerify;
  request.job_id = id;
  request.job = VerifyCommand(options.supervisor_command.front(),
                              {id, directory_, options.schema, options.node, primary,
                               std::move(login), std::move(primary_login)});
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::StopMerge(const std::string& id, Deadline deadline) {
  SupervisorRequest request;
  request.verb = SupervisorVerb::kStopMerge;
  request.job_id = id;
  return client_.Call(std::move(request), deadline.Within(kAcceptWithin));
}

Status LocalHost::Ask(SupervisorVerb verb, Deadline deadline) {
  SupervisorRequest request;
  request.verb = verb;
  return client_.Call(std::move(request), deadline);
}

Status LocalHost::Fence(Deadline deadline) {
  return Ask(SupervisorVerb::kFence, deadline);
}
Status LocalHost::Claim(Deadline deadline) {
  return Ask(SupervisorVerb::kClaim, deadline.Within(kAcceptWithin));
}
bool LocalHost::Claimed() const {
  const Seen<SupervisorState> state = client_.State();
  return state.known() && state->claimed;
}
Status LocalHost::Stop(Deadline deadline) {
  return Ask(SupervisorVerb::kStop, deadline);
}
Status LocalHost::Kill(Deadline deadline) {
  return Ask(SupervisorVerb::kKill, deadline);
}
Status LocalHost::StopAndQuit(Deadline deadline) {
  return client_.StopAndQuit(deadline);
}

}  // namespace pandora_ha
