#include "reconciler/app/run_command.h"

#include "reconciler/app/service.h"
#include "reconciler/app/stop_signals.h"
#include "reconciler/base/log.h"
#include "reconciler/publish/follow.h"
#include "reconciler/spec/load_spec.h"

namespace pandora_ha {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongInput = 2;

int Fail(std::ostream& err, const Error& error, int code = kFailed) {
  err << "pandora-ha: " << error.message << "\n";
  return code;
}

void WaitForStopSignal() {
  while (!WaitForStop(Deadline(SystemClock(), Seconds(3600)))) {
  }
}

}  // namespace

int RunCommand(const RunOptions& options, std::ostream& err) {
  const LoadedSpec loaded = LoadSpecFile(options.config);
  for (const Problem& problem : loaded.problems) err << FormatProblem(problem) << "\n";
  if (!loaded.ok()) return kWrongInput;
  for (const Problem& warning : loaded.warnings) Log(LogLevel::kWarning, FormatProblem(warning));
  const ClusterSpec& spec = *loaded.spec;
  auto passwords = ResolvePasswords(spec.database.credentials);
  if (!passwords.ok()) return Fail(err, passwords.error(), kWrongInput);

  ServiceOptions wanted;
  wanted.manager.spec = spec;
  wanted.manager.passwords = *std::move(passwords);
  wanted.manager.state_directory = options.state_directory.empty()
                                       ? "/var/lib/pandora-ha/" + spec.name
                                       : options.state_directory;
  wanted.manager.supervisor_command = SupervisorCommand();
  wanted.socket_path =
      options.socket_path.empty() ? "/run/pandora-ha/api.sock" : options.socket_path;
  wanted.listen = options.listen;
  const auto service = Service::Start(std::move(wanted), SystemClock());
  if (!service.ok()) return Fail(err, service.error());
  WaitForStopSignal();
  Log(LogLevel::kInfo, "Stopping; the database servers go on without a manager.");
  return kDone;
}

int EndpointCommand(const EndpointCommandOptions& options, std::ostream& err) {
  EndpointOptions wanted;
  wanted.listen = options.listen;
  wanted.hold = options.hold;
  const auto endpoint = Endpoint::Start(wanted, SystemClock());
  if (!endpoint.ok()) return Fail(err, endpoint.error());
  const auto follower = Follower::Start(options.hosts_file, **endpoint, SystemClock());
  if (!follower.ok()) return Fail(err, follower.error());
  Log(LogLevel::kInfo, "The writer endpoint listens.",
      {{"listen", ToString((*endpoint)->listen())}, {"follows", options.hosts_file}});
  WaitForStopSignal();
  return kDone;
}

}  // namespace pandora_ha
