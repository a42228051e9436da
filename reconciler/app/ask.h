// What the verbs that talk to a manager share.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>

#include "reconciler/api/client.h"
#include "reconciler/app/verbs.h"

namespace pandora_ha {

// Says what is wrong; the exit code for it.
int Fail(const Error& error, std::ostream& err);

// The cluster that was named, or the manager's only one.
Result<std::string> ClusterToAsk(const AskOptions& options, const ApiClient& client,
                                 const Deadline& deadline);

// The document, or `text` of it, as the form wants it.
void PrintDocument(const AskOptions& options, const nlohmann::json& document,
                   const std::string& text, std::ostream& out);

}  // namespace pandora_ha
