// What must never happen, asked of a decision before it is carried out. The numbers are those of
// docs/invariants.md.
#pragma once

#include <string>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

struct Violation {
  int invariant = 0;
  std::string says;

  bool operator==(const Violation&) const = default;
};

// Empty: the decision may be carried out. The loop refuses a plan with violations, and every test
// of decisions asserts that there are none.
std::vector<Violation> CheckInvariants(const ClusterSpec& spec, const Observation& seen,
                                       const Memory& before, const Decision& decision);

}  // namespace pandora_ha
