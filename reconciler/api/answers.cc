#include "reconciler/api/answers.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "reconciler/api/explain.h"
#include "reconciler/api/intent_answers.h"
#include "reconciler/base/log.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr std::string_view kClusters = "/api/v1/clusters";
constexpr std::size_t kMostEvents = 1000;
constexpr std::size_t kEventsOfExplain = 10;

Answer Document(const json& value) {
  return {200, "application/json", PrintJson(value) + "\n"};
}

Answer Text(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", std::move(body) + "\n"};
}

// limit=N of the query; nothing when it is malformed. Other parameters are passed over.
std::optional<std::size_t> LimitOf(std::string_view query) {
  std::size_t limit = 50;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.substr(0, 6) != "limit=") continue;
    const std::string_view number = pair.substr(6);
    const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), limit);
    if (error != std::errc() || rest != number.data() + number.size() || limit == 0 ||
        limit > kMostEvents)
      return std::nullopt;
  }
  return limit;
}

json Summary(const ClusterStatus& status) {
  json out = {{"name", status.name},
              {"state", ToString(status.state)},
              {"verdict", status.verdict},
              {"epoch", status.epoch.number},
              {"observedAt", FormatWallTime(status.observed_at)}};
  if (status.primary) out["primary"] = status.primary->text;
  return out;
}

// What an address may be asked for, before it is asked.
bool KnownAddress(Audience audience, std::string_view path) {
  if (path == "/healthz" || path == "/readyz" || path == "/metrics") return true;
  if (audience == Audience::kNetwork) return false;
  return path == kClusters || path.substr(0, kClusters.size() + 1) == std::string(kClusters) + "/";
}

}  // namespace

Answer Failure(int status, const std::string& says) {
  return {status, "application/json", PrintJson({{"error", says}}) + "\n"};
}

Answers::Answers(ApiSources sources) : sources_(std::move(sources)) {}

Answer Answers::Health() const {
  const TimePoint now = sources_.clock.Now().mono;
  for (const auto& [cluster, since] : sources_.clusters()) {
    const auto last = sources_.noticeboard.Last(cluster);
    const TimePoint looked = last ? std::max(since, last->seen.taken_at.mono) : since;
    if (now - looked > sources_.looks_within) {
      return Text(503,
                  "The last look at " + cluster + " is " + FormatDuration(now - looked) + " old.");
    }
  }
  return Text(200, "ok");
}

Answer Answers::Readiness() const {
  for (const auto& [cluster, since] : sources_.clusters()) {
    if (!sources_.noticeboard.Last(cluster))
      return Text(503, cluster + " has not been looked at yet.");
  }
  return Text(200, "ok");
}

Answer Answers::Cluster(std::string_view rest, std::string_view query,
                        const Request& request) const {
  const auto slash = std::min(rest.find('/'), rest.size());
  const std::string name(rest.substr(0, slash));
  const std::string_view part = rest.substr(slash);
  const bool intents =
      sources_.intents.ask && (part == "/intents" || part.substr(0, 9) == "/intents/");
  std::vector<Intent> pending;
  if (intents) pending = sources_.intents.pending(name);
  const auto last = sources_.noticeboard.Last(name);
  if (request.method != "GET" && request.method != "HEAD" &&
      !(request.method == "POST" && intents && part == "/intents")) {
    if (!intents || part != "/intents") return Failure(405, "Only GET and HEAD are answered.");
    Answer wrong = Failure(405, "Intents are read with GET and asked for with POST.");
    wrong.allow = "GET, HEAD, POST";
    return wrong;
  }
  if (!last && request.method == "POST" && sources_.clusters().contains(name)) {
    return Failure(503, "The cluster was not looked at yet; ask again in a moment.");
  }
  if (!last) return Failure(404, "There is no such cluster here, or it was not looked at yet.");
  if (intents) {
    const IntentAnswers desk(sources_.intents, sources_.clock, std::move(pending), *last);
    if (request.method == "POST") return desk.Ask(request, query);
    return part == "/intents" ? desk.All() : desk.One(std::string(part.substr(9)));
  }
  if (part.empty()) return Document(StatusDocument(*last));
  if (part == "/plan") return Document(PlanDocument(*last));
  if (part == "/explain") {
    std::vector<Event> events;
    if (sources_.history) {
      // What is the matter is told even when the file of the history cannot be read.
      if (auto read = sources_.history(name, kEventsOfExplain); read.ok()) events = *read;
    }
    return Document(ExplainDocument(*last, events));
  }
  if (part == "/history" && sources_.history) {
    const auto limit = LimitOf(query);
    if (!limit) return Failure(400, "limit must be a whole number from 1 to 1000.");
    const auto events = sources_.history(name, *limit);
    if (!events.ok()) return Failure(500, events.error().message);
    json list = json::array();
    for (const Event& event : *events) list.push_back(ToJson(event));
    return Document({{"name", name}, {"events", std::move(list)}});
  }
  return Failure(404, "There is nothing at this address.");
}

Answer Answers::To(Audience audience, const Request& request) const try {
  const std::string_view target = request.target;
  const auto question = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, question);
  const std::string_view query = target.substr(std::min(question + 1, target.size()));
  if (!KnownAddress(audience, path)) return Failure(404, "There is nothing at this address.");
  if (path.substr(0, kClusters.size() + 1) == std::string(kClusters) + "/")
    return Cluster(path.substr(kClusters.size() + 1), query, request);
  if (request.method != "GET" && request.method != "HEAD")
    return Failure(405, "Only GET and HEAD are answered.");
  if (path == "/healthz") return Health();
  if (path == "/readyz") return Readiness();
  if (path == "/metrics") {
    if (!sources_.metrics) return Failure(404, "There is nothing at this address.");
    return {200, "text/plain; version=0.0.4; charset=utf-8", sources_.metrics()};
  }
  json list = json::array();
  for (const auto& snapshot : sources_.noticeboard.All()) list.push_back(Summary(snapshot->status));
  json refused = json::array();
  if (sources_.refused) {
    for (const RefusedFile& file : sources_.refused())
      refused.push_back({{"file", file.file}, {"problem", file.problem}, {"more", file.more}});
  }
  return Document({{"clusters", std::move(list)}, {"refused", std::move(refused)}});
} catch (const std::exception& e) {
  Log(LogLevel::kError, "A request could not be answered.", {{"error", e.what()}});
  return Failure(500, "The request could not be answered; the log says why.");
}

}  // namespace pandora_ha
