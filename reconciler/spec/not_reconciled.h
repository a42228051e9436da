// What a document declares and this release does not do yet.
#pragma once

#include <vector>

#include "reconciler/model/spec.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

// Every such part that the document itself states (a default states nothing), in the order of the
// document's reference. LoadSpec puts them into ClusterSpec::not_reconciled.
std::vector<NotReconciledPart> FindNotReconciled(const ClusterSpec& spec, const TreeNode& root);

}  // namespace pandora_ha
