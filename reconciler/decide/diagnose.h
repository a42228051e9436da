// The table of findings.
#pragma once

#include <string_view>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// All that is noteworthy in one look, the most severe first, then in declared order. `memory`
// already counts the look. Findings that a decision adds (blocked failover, suspended, loss) come
// from Decide.
std::vector<Finding> Diagnose(const ClusterSpec& spec, const Observation& seen,
                              const Memory& memory);

// One row of the table: what the code means, for documents and for tests of completeness.
struct FindingRow {
  FindingCode code;
  Severity severity;
  std::string_view meaning;  // what it says
  std::string_view remedy;   // what a person can do; NODE stands for the node it is about
};
const std::vector<FindingRow>& FindingTable();

// The source was asked for transactions whose binary logs it has purged. The error numbers are used
// for other reasons, too.
bool OnlyACopyHelps(const ReplicationSeen& channel);

// With the table's severity and remedy.
Finding MakeFinding(FindingCode code, std::optional<NodeName> about, std::string says);

}  // namespace pandora_ha
