// The arguments of Pandora's own script: `pandora_ha_resync_slave.sh CONF MASTER SLAVE`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/app/verbs.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

// The node that SLAVE means. Both are names, labels or addresses of nodes, with or without a port,
// in the status that a manager gives. kInvalid: one of them is no node. kConflict: MASTER is not
// the primary, whose data alone is copied.
Result<NodeName> SlaveOf(const nlohmann::json& status, const std::string& master,
                         const std::string& slave);

// The same, of the manager that `options` names.
Result<NodeName> AskSlave(const AskOptions& options, const std::string& master,
                          const std::string& slave);

}  // namespace pandora_ha
