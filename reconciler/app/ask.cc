#include "reconciler/app/ask.h"

#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

// The name becomes a part of an address, so nothing but a DNS label may pass.
bool IsClusterName(const std::string& name) {
  return !name.empty() && name.size() <= 253 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
}

}  // namespace

int Fail(const Error& error, std::ostream& err) {
  err << "pandora-ha: " << Printable(error.message) << "\n";
  if (error.code == ErrorCode::kInvalid) return kExitUsage;
  return error.code == ErrorCode::kTimeout ? kExitTimeout : kExitError;
}

Result<Overview> AskOverview(const ApiClient& client, const Deadline& deadline) {
  Overview all;
  PHA_ASSIGN_OR_RETURN(all.document, client.Get("/api/v1/clusters", deadline));
  if (!all.document.is_object()) all.document = json::object();
  for (const json& one : all.document.value("clusters", json::array())) {
    if (IsClusterName(TextOf(one, "name"))) all.clusters.push_back(TextOf(one, "name"));
  }
  for (const json& one : all.document.value("refused", json::array())) {
    const std::string more = TextOf(one, "more");
    all.refused += "Refused: " + Printable(TextOf(one, "problem")) +
                   (more.empty() || more == "0" ? "" : " (and " + more + " more)") + "\n";
  }
  return all;
}

Result<std::string> ClusterToAsk(const AskOptions& options, const ApiClient& client,
                                 const Deadline& deadline) {
  if (!options.cluster.empty()) {
    if (IsClusterName(options.cluster)) return options.cluster;
    return Error{ErrorCode::kInvalid, "\"" + options.cluster + "\" is no name of a cluster.", 0};
  }
  PHA_ASSIGN_OR_RETURN(const Overview all, AskOverview(client, deadline));
  const std::vector<std::string>& names = all.clusters;
  if (names.size() == 1) return names[0];
  if (names.empty())
    return Error{
        ErrorCode::kNotFound,
        "The manager has not looked at a cluster yet." +
            (all.refused.empty() ? "" : " " + all.refused.substr(0, all.refused.size() - 1)),
        0};
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return Error{ErrorCode::kInvalid, "Say which cluster, with --cluster NAME: " + known + ".", 0};
}

void PrintDocument(const AskOptions& options, const json& document, const std::string& text,
                   std::ostream& out) {
  switch (options.form) {
    case OutputForm::kJson:
      out << PrintJson(document, 2) << "\n";
      break;
    case OutputForm::kYaml:
      out << ToYaml(document);
      break;
    case OutputForm::kTable:
    case OutputForm::kWide:
      out << text;
      break;
  }
}

}  // namespace pandora_ha
