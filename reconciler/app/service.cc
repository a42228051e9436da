#include "reconciler/app/service.h"

#include <filesystem>
#include <utility>

#include "exporters/cluster_exporter.h"
#include "reconciler/decide/decide.h"

namespace pandora_ha {
namespace {

Error NoSuchCluster(const std::string& cluster) {
  return {ErrorCode::kConflict,
          "The cluster " + cluster + " is not looked after here any more; its document is gone."};
}

std::map<std::string, EndpointNumbers> EndpointsOf(const Clusters& clusters) {
  std::map<std::string, EndpointNumbers> numbers;
  for (const auto& [name, since] : clusters.Since()) {
    const auto manager = clusters.Find(name);
    const auto endpoint = manager ? manager->endpoint() : nullptr;
    if (!endpoint) continue;
    const EndpointStatistics seen = endpoint->Statistics();
    numbers[name] = {seen.sessions_now, seen.held_now, seen.sessions_total, seen.sessions_cut,
                     seen.sessions_drained};
  }
  return numbers;
}

// What would be decided if this were asked for at the last look.
Decision Would(const Snapshot& last, const Intent& intent) {
  Observation seen = last.seen;
  seen.intents = {intent};
  return Decide(last.spec, seen, last.decision.memory);
}

IntentDesk DeskOf(const Clusters& clusters) {
  return {[&clusters](const std::string& cluster, Intent intent) -> Status {
            const auto manager = clusters.Find(cluster);
            return manager ? manager->Ask(std::move(intent)) : Status(NoSuchCluster(cluster));
          },
          [&clusters](const std::string& cluster) {
            const auto manager = clusters.Find(cluster);
            return manager ? manager->Pending() : std::vector<Intent>();
          },
          Would};
}

std::vector<RefusedFile> RefusedBy(const Clusters& clusters) {
  std::vector<RefusedFile> files;
  for (const RefusedDocument& document : clusters.refused()) {
    files.push_back(
        {document.file, FormatProblem(document.problems.front()), document.problems.size() - 1});
  }
  return files;
}

}  // namespace

std::vector<std::string> SupervisorCommand() {
  // Resolved now: after an upgrade of the file, /proc/self/exe would still be the old program.
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return {error ? std::string("/proc/self/exe") : self.string(), "supervise"};
}

Service::Service(Clusters::StateDirectory state_directory, const Clock& clock)
    : clock_(clock), clusters_(std::move(state_directory), SupervisorCommand(), clock) {}

Status Service::Open(const Doors& doors) {
  ApiSources sources{noticeboard(), clock_, [this] { return clusters_.Since(); }};
  const ExporterSources numbers{noticeboard(), PANDORA_HA_VERSION,
                                [this] { return EndpointsOf(clusters_); },
                                [this] { return clusters_.refused().size(); }};
  sources.metrics = [numbers] { return MetricsText(numbers); };
  sources.history = [this](const std::string& cluster,
                           std::size_t most) -> Result<std::vector<Event>> {
    const auto manager = clusters_.Find(cluster);
    if (!manager) return NoSuchCluster(cluster);
    return manager->History(most);
  };
  sources.intents = DeskOf(clusters_);
  sources.refused = [this] { return RefusedBy(clusters_); };
  ApiServerOptions wanted;
  wanted.socket_path = doors.socket_path;
  wanted.tcp = doors.listen;
  PHA_ASSIGN_OR_RETURN(server_, ApiServer::Start(wanted, std::move(sources)));
  return Ok();
}

}  // namespace pandora_ha
