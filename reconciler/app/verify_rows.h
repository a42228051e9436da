// What the command and the supervisor's job make of a comparison of rows.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/model/ids.h"
#include "reconciler/mysql/verify.h"

namespace pandora_ha {

struct Sides {
  NodeName primary, node;
};

nlohmann::json ToJson(const VerifyReport& report, const Sides& sides);

// What is not the same, in few words: "tevento: 3 rows only on node1; tconfig: other columns".
// Empty: nothing that could be settled.
std::string Differences(const VerifyReport& report, const Sides& sides);
// Of one piece: "2 rows not the same, 1 row only on node1".
std::string Counts(const PieceDifference& difference, const Sides& sides);

// The job. Reads a VerifyOrder from standard input, does it, leaves the account in the node's
// directory, and returns the process's exit code.
int RunVerifier();

}  // namespace pandora_ha
