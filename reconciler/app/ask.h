// What the verbs that talk to a manager share.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "reconciler/api/client.h"
#include "reconciler/app/verbs.h"

namespace pandora_ha {

// Says what is wrong; the exit code for it.
int Fail(const Error& error, std::ostream& err);

// What the manager looks after, and which documents it refuses.
struct Overview {
  std::vector<std::string> clusters;  // by name
  std::string refused;                // a line for each; empty: none
  nlohmann::json document;            // both, as the manager told them
};
Result<Overview> AskOverview(const ApiClient& client, const Deadline& deadline);

// The cluster that was named, or the manager's only one.
Result<std::string> ClusterToAsk(const AskOptions& options, const ApiClient& client,
                                 const Deadline& deadline);

// The document, or `text` of it, as the form wants it.
void PrintDocument(const AskOptions& options, const nlohmann::json& document,
                   const std::string& text, std::ostream& out);

}  // namespace pandora_ha
