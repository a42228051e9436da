// A MySQL or MariaDB server behind the DatabaseNode port.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reconciler/model/spec.h"
#include "reconciler/mysql/session.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

struct DatabaseNodeOptions {
  SessionOptions session;             // the admin account
  std::string schema;                 // holds the heartbeat table
  std::vector<std::string> accounts;  // must be there for DatabaseState::provisioned
};

DatabaseNodeOptions DatabaseNodeOptionsFor(const ClusterSpec& spec, const DatabaseNodeSpec& node,
                                           const ResolvedCredentials& passwords);

// Finds out by itself which family and version answers, anew on every connection. Uses at most two
// connections: one for looks and steps, one for the marker row, which may block for as long as no
// replica acknowledges.
std::unique_ptr<DatabaseNode> MakeDatabaseNode(DatabaseNodeOptions options);

}  // namespace pandora_ha
