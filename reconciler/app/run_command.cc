#include "reconciler/app/run_command.h"

#include <algorithm>

#include "reconciler/app/document_watch.h"
#include "reconciler/app/service.h"
#include "reconciler/app/stop_signals.h"
#include "reconciler/base/log.h"
#include "reconciler/publish/follow.h"

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

// Documents are looked at so often. A cluster that could not be started is tried again less often.
constexpr Duration kLookEvery = Milliseconds(500);
constexpr Duration kTryAgainEvery = Seconds(10);

Clusters::StateDirectory StateOf(const RunOptions& options, bool several) {
  if (options.state_directory.empty())
    return [](const std::string& cluster) { return "/var/lib/pandora-ha/" + cluster; };
  return [root = options.state_directory, several](const std::string& cluster) {
    return several ? root + "/" + cluster : root;
  };
}

bool AnyCouldNotStart(const Clusters& clusters) {
  const auto refused = clusters.refused();
  return std::any_of(refused.begin(), refused.end(),
                     [](const RefusedDocument& document) { return document.could_not_start; });
}

// 0: at least one cluster is kept.
int Begin(DocumentWatch& watch, Clusters& clusters, std::ostream& err) {
  watch.Look(true);
  if (!watch.problem().empty())
    return Fail(err, {ErrorCode::kNotFound, watch.problem() + "."}, kWrongInput);
  for (const RefusedDocument& document : clusters.Declare(watch.files())) {
    for (const Problem& problem : document.problems) err << FormatProblem(problem) << "\n";
  }
  if (!clusters.Since().empty()) return kDone;
  return AnyCouldNotStart(clusters) ? kFailed : kWrongInput;
}

void GoByDocuments(DocumentWatch& watch, Clusters& clusters) {
  std::string told;
  Deadline again(SystemClock(), kTryAgainEvery);
  while (true) {
    const SignalSeen signal = WaitForSignal(Deadline(SystemClock(), kLookEvery));
    if (signal == SignalSeen::kStop) return;
    const bool changed = watch.Look(signal == SignalSeen::kHangUp);
    if (watch.problem() != told && !watch.problem().empty())
      Log(LogLevel::kError,
          "The documents cannot be looked at; what was read before stays in force.",
          {{"problem", watch.problem()}});
    told = watch.problem();
    if (!changed && !(again.passed() && AnyCouldNotStart(clusters))) continue;
    for (const RefusedDocument& document : clusters.Declare(watch.files()))
      Log(LogLevel::kError, "A document is refused.", {{"problem", Summary(document.problems)}});
    again = Deadline(SystemClock(), kTryAgainEvery);
  }
}

}  // namespace

int RunCommand(const RunOptions& options, std::ostream& err) {
  DocumentWatch watch(options.config);
  Service service(StateOf(options, watch.is_directory()), SystemClock());
  Clusters& clusters = service.clusters();
  if (const int code = Begin(watch, clusters, err); code != kDone) return code;
  const Status opened =
      service.Open({options.socket_path.empty() ? "/run/pandora-ha/api.sock" : options.socket_path,
                    options.listen});
  if (!opened.ok()) return Fail(err, opened.error());
  GoByDocuments(watch, clusters);
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
