// Declared parts that this version does not act on. They are reported, never silently accepted.
#pragma once

#include <string>
#include <vector>

#include "reconciler/model/spec.h"

namespace pandora_ha {

struct UnreconciledPart {
  std::string path;  // "spec.virtualIP"
  std::string says;  // one sentence: what is not done

  bool operator==(const UnreconciledPart&) const = default;
};

// In document order; empty when everything declared is acted on.
std::vector<UnreconciledPart> NotReconciled(const ClusterSpec& spec);

}  // namespace pandora_ha
