#include "reconciler/app/verbs.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

#include "reconciler/api/client.h"
#include "reconciler/app/ask.h"
#include "reconciler/app/render.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

// Asks, prints, and hands the document to `code`.
int Ask(
    const AskOptions& options, const std::string& part,
    const std::function<std::string(const json&)>& render, std::ostream& out, std::ostream& err,
    const std::function<int(const json&)>& code = [](const json&) { return kExitHealthy; }) {
  const Deadline deadline(SystemClock(), options.timeout);
  const ApiClient client(options.socket_path);
  const auto cluster = ClusterToAsk(options, client, deadline);
  if (!cluster.ok()) return Fail(cluster.error(), err);
  const auto document = client.Get("/api/v1/clusters/" + *cluster + part, deadline);
  if (!document.ok()) return Fail(document.error(), err);
  const bool document_only = options.form == OutputForm::kJson || options.form == OutputForm::kYaml;
  PrintDocument(options, *document, document_only ? "" : render(*document), out);
  return code(*document);
}

using Render = std::function<std::string(const json&)>;

// The worse of two exit codes: a cluster without a primary outweighs one that is not known.
int Worse(int a, int b) {
  static constexpr int kByWeight[] = {kExitHealthy, kExitDegraded, kExitError, kExitNoPrimary};
  const auto weight = [](int code) {
    return std::find(std::begin(kByWeight), std::end(kByWeight), code) - std::begin(kByWeight);
  };
  return weight(a) < weight(b) ? b : a;
}

// The cluster that was named; else all of them, one below the other, as one document in the forms
// for machines when there are several.
int AskAll(const AskOptions& options, const Render& render, std::ostream& out, std::ostream& err,
           const std::function<int(const json&)>& code) {
  if (!options.cluster.empty()) return Ask(options, "", render, out, err, code);
  const Deadline deadline(SystemClock(), options.timeout);
  const ApiClient client(options.socket_path);
  auto all = AskOverview(client, deadline);
  if (!all.ok()) return Fail(all.error(), err);
  if (all->clusters.size() < 2) {
    const int answer = Ask(options, "", render, out, err, code);
    err << (all->clusters.empty() ? "" : all->refused);
    return answer;
  }
  json list = json::array();
  std::string text;
  int worst = kExitHealthy;
  for (const std::string& cluster : all->clusters) {
    auto document = client.Get("/api/v1/clusters/" + cluster, deadline);
    if (!document.ok()) return Fail(document.error(), err);
    worst = Worse(worst, code(*document));
    text += (text.empty() ? "" : "\n") + render(*document);
    list.push_back(*std::move(document));
  }
  all->document["clusters"] = std::move(list);
  PrintDocument(options, all->document, text, out);
  err << all->refused;
  return worst;
}

bool Serves(const json& status) {
  if (!status.is_object() || !status.contains("conditions")) return false;
  for (const json& condition : status["conditions"]) {
    if (TextOf(condition, "type") == "Available") return TextOf(condition, "status") == "True";
  }
  return false;
}

int CodeOf(const json& status) {
  const std::string state = TextOf(status, "state");
  if (state == "Healthy") return kExitHealthy;
  if (state == "Unknown") return kExitError;
  if (state == "SplitBrain") return kExitNoPrimary;
  return Serves(status) ? kExitDegraded : kExitNoPrimary;
}

}  // namespace

int StatusVerb(const AskOptions& options, std::ostream& out, std::ostream& err) {
  const bool wide = options.form == OutputForm::kWide;
  return AskAll(
      options, [&](const json& d) { return RenderStatus(d, wide, options.style); }, out, err,
      CodeOf);
}

int TopologyVerb(const AskOptions& options, std::ostream& out, std::ostream& err) {
  return AskAll(
      options, [&](const json& d) { return RenderTopology(d, options.style); }, out, err,
      [](const json&) { return kExitHealthy; });
}

int ExplainVerb(const AskOptions& options, std::ostream& out, std::ostream& err) {
  return Ask(
      options, "/explain", [&](const json& d) { return RenderExplain(d, options.style); }, out,
      err);
}

int PlanVerb(const AskOptions& options, std::ostream& out, std::ostream& err) {
  return Ask(
      options, "/plan", [&](const json& d) { return RenderPlan(d, options.style); }, out, err);
}

int HistoryVerb(const AskOptions& options, std::size_t limit, std::ostream& out,
                std::ostream& err) {
  const bool wide = options.form == OutputForm::kWide;
  return Ask(
      options, "/history?limit=" + std::to_string(limit),
      [&](const json& d) { return RenderHistory(d, wide, options.style); }, out, err);
}

int VersionVerb(OutputForm form, const std::vector<std::pair<std::string, std::string>>& parts,
                std::ostream& out) {
  json document = json::object();
  std::string text;
  for (const auto& [name, version] : parts) {
    document[name] = version;
    text += name + " " + version + "\n";
  }
  AskOptions options;
  options.form = form;
  PrintDocument(options, document, text, out);
  return kExitHealthy;
}

}  // namespace pandora_ha
