#include "reconciler/app/compat.h"

#include <nlohmann/json.hpp>

#include "reconciler/app/ask.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr Duration kOneQuestion = Seconds(5);

bool Means(const json& node, const std::string& words) {
  const std::string address = TextOf(node, "address");
  return TextOf(node, "name") == words || TextOf(node, "label") == words || address == words ||
         address.substr(0, address.rfind(':')) == words;
}

Result<std::string> NameOf(const json& status, const std::string& words) {
  for (const json& node : status.value("nodes", json::array())) {
    if (Means(node, words)) return TextOf(node, "name");
  }
  return Error{ErrorCode::kInvalid,
               "The cluster has no node that is called, labelled or reached as " +
                   Printable(words) + "; `pandora-ha status -o wide` shows them."};
}

}  // namespace

Result<NodeName> SlaveOf(const json& status, const std::string& master, const std::string& slave) {
  PHA_ASSIGN_OR_RETURN(const std::string source, NameOf(status, master));
  PHA_ASSIGN_OR_RETURN(const std::string target, NameOf(status, slave));
  const std::string primary = TextOf(status, "primary");
  if (source == primary) return NodeName(target);
  return Error{ErrorCode::kConflict,
               source + " is not the primary" +
                   (primary.empty() ? ", and there is none at the moment"
                                    : "; " + primary + " is, and only its data may be copied") +
                   ". Nothing was done."};
}

Result<NodeName> AskSlave(const AskOptions& options, const std::string& master,
                          const std::string& slave) {
  const ApiClient client(options.socket_path);
  const Deadline soon(SystemClock(), kOneQuestion);
  PHA_ASSIGN_OR_RETURN(const std::string cluster, ClusterToAsk(options, client, soon));
  PHA_ASSIGN_OR_RETURN(const json status, client.Get("/api/v1/clusters/" + cluster, soon));
  return SlaveOf(status, master, slave);
}

}  // namespace pandora_ha
