// The schema objects and accounts that a cluster needs, as repeatable statements.
#pragma once

#include <string>

#include "reconciler/base/result.h"
#include "reconciler/model/spec.h"
#include "reconciler/mysql/dialect.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

// `schema`.`pandora_ha_heartbeat`
Result<std::string> HeartbeatTable(const std::string& schema);
// `schema`.`pandora_ha_guards`
Result<std::string> GuardsTable(const std::string& schema);

// Holds passwords. `native_password`: the server still has mysql_native_password, which the older
// clients of Pandora need.
Result<std::string> ProvisionStatements(const Dialect& dialect, const ClusterSpec& spec,
                                        const ResolvedCredentials& passwords, bool native_password);

}  // namespace pandora_ha
