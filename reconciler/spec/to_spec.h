// Positioned tree → typed values.
#pragma once

#include "reconciler/model/spec.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

// Total: what is missing or of a wrong type keeps the default of spec.h. Only the spec of a
// document without problems means anything to anyone but the rules, which know what not to trust.
ClusterSpec ToSpec(const TreeNode& root);

}  // namespace pandora_ha
