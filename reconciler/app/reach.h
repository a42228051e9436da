// What the commands share that ask a manager where the primary is and then ask servers themselves.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/app/verbs.h"
#include "reconciler/base/result.h"
#include "reconciler/model/spec.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

// What the manager says of the document's cluster. kNotFound: it has no primary now.
Result<nlohmann::json> AskForPrimary(const AskOptions& options, const ClusterSpec& spec);

// How a server of the document is reached, as its administrator. kInvalid: there is no such node,
// or its password cannot be had.
Result<SessionOptions> SessionWith(const ClusterSpec& spec, const NodeName& node);

// The exit code for what a server or the manager answered.
int CodeOfWork(const Error& error);

}  // namespace pandora_ha
