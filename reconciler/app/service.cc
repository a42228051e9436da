#include "reconciler/app/service.h"

#include <algorithm>
#include <filesystem>

#include "exporters/cluster_exporter.h"
#include "reconciler/decide/decide.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/spec/secrets.h"

namespace pandora_ha {
namespace {

std::string RemedyOf(FindingCode code) {
  const auto& table = FindingTable();
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const FindingRow& r) { return r.code == code; });
  return row == table.end() ? "" : std::string(row->remedy);
}

Result<Secret> Resolve(const std::string& which, const SecretSource& source) {
  auto secret = ResolveSecret(source);
  if (secret.ok()) return secret;
  return Error{secret.error().code,
               "The password of spec.database.credentials." + which + ": " + secret.error().message,
               secret.error().number};
}

std::map<std::string, EndpointNumbers> EndpointOf(const Manager& manager,
                                                  const std::string& cluster) {
  if (manager.endpoint() == nullptr) return {};
  const EndpointStatistics seen = manager.endpoint()->Statistics();
  return {{cluster,
           {seen.sessions_now, seen.held_now, seen.sessions_total, seen.sessions_cut,
            seen.sessions_drained}}};
}

// What would be decided if this were asked for at the last look.
Decision Would(const Snapshot& last, const Intent& intent) {
  Observation seen = last.seen;
  seen.intents = {intent};
  return Decide(last.spec, seen, last.decision.memory);
}

IntentDesk DeskOf(Manager& manager) {
  return {[&manager](const std::string&, Intent intent) { return manager.Ask(std::move(intent)); },
          [&manager](const std::string&) { return manager.Pending(); }, Would};
}

}  // namespace

Result<ResolvedCredentials> ResolvePasswords(const Credentials& credentials) {
  ResolvedCredentials passwords;
  PHA_ASSIGN_OR_RETURN(passwords.admin, Resolve("admin", credentials.admin.password_from));
  PHA_ASSIGN_OR_RETURN(passwords.replication,
                       Resolve("replication", credentials.replication.password_from));
  PHA_ASSIGN_OR_RETURN(passwords.application,
                       Resolve("application", credentials.application.password_from));
  return passwords;
}

std::vector<std::string> SupervisorCommand() {
  // Resolved now: after an upgrade of the file, /proc/self/exe would still be the old program.
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return {error ? std::string("/proc/self/exe") : self.string(), "supervise"};
}

Result<std::unique_ptr<Service>> Service::Start(ServiceOptions options, const Clock& clock) {
  std::unique_ptr<Service> service(new Service());
  const std::string cluster = options.manager.spec.name;
  PHA_ASSIGN_OR_RETURN(service->manager_,
                       Manager::Make(std::move(options.manager), service->noticeboard_, clock));
  Manager& manager = *service->manager_;
  ApiSources sources{service->noticeboard_, clock, {cluster}, {}, {}, RemedyOf};
  const ExporterSources numbers{service->noticeboard_, PANDORA_HA_VERSION,
                                [&manager, cluster] { return EndpointOf(manager, cluster); }};
  sources.metrics = [numbers] { return MetricsText(numbers); };
  sources.history = [&manager](const std::string&, std::size_t most) {
    return manager.History(most);
  };
  sources.intents = DeskOf(manager);
  ApiServerOptions doors;
  doors.socket_path = options.socket_path;
  doors.tcp = options.listen;
  PHA_ASSIGN_OR_RETURN(service->server_, ApiServer::Start(doors, std::move(sources)));
  service->loop_ = std::jthread([&manager](std::stop_token stop) { manager.Run(stop); });
  return service;
}

Service::~Service() = default;

Status Service::StopServers(Deadline deadline) {
  loop_.request_stop();
  if (loop_.joinable()) loop_.join();
  return manager_->StopServers(deadline);
}

}  // namespace pandora_ha
