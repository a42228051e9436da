#include "reconciler/spec/not_reconciled.h"

#include <string>
#include <string_view>

namespace pandora_ha {
namespace {

struct Part {
  const char* path;
  const char* sentence;
};

// One line less with every part that a release learns.
constexpr Part kParts[] = {
    {"spec.database.replicas", "no pods are made: this release does not run on Kubernetes yet"},
    {"spec.database.configuration",
     "the options are not written to any server; set them in its my.cnf"},
    {"spec.database.salvage",
     "nothing is fetched from a dead primary before another node is promoted"},
    {"spec.database.splitBrain",
     "only on substrate local are a diverged node's own rows archived and merged, and it made "
     "anew"},
    {"spec.database.resync",
     "only substrate local makes a replica anew, and not by dump or script"},
    {"spec.database.virtualIP", "no address is moved; use the writer endpoint or the hosts file"},
    {"spec.lease.witnesses",
     "witnesses are not asked; a silent primary that cannot be proven stopped blocks the failover"},
    {"spec.dataIn", "the shared directories are neither made nor checked"},
    {"spec.servers", "the Pandora servers are neither watched nor restarted"},
    {"spec.console", "the consoles are neither watched nor started"},
    {"spec.kubernetes", "no pods are made: this release does not run on Kubernetes yet"},
};

// The node that the document states at `path`; null when it does not or a default does.
const TreeNode* Stated(const TreeNode& root, std::string_view path) {
  const TreeNode* node = &root;
  while (node != nullptr && !path.empty()) {
    const std::string_view key = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), key.size() + 1));
    node = node->Find(key);
    if (node != nullptr && node->from_default) return nullptr;
  }
  return node;
}

}  // namespace

std::vector<NotReconciledPart> FindNotReconciled(const ClusterSpec& spec, const TreeNode& root) {
  std::vector<NotReconciledPart> parts;
  const bool local = spec.substrate == SubstrateKind::kLocal;
  if (spec.substrate == SubstrateKind::kHosts) {
    parts.push_back({"spec.substrate",
                     "hosts are reached over the database protocol only: no server is started, "
                     "stopped or fenced on its machine"});
  } else if (spec.substrate == SubstrateKind::kKubernetes) {
    parts.push_back({"spec.substrate", "this release does not run on Kubernetes yet"});
  }
  for (std::size_t i = 0; i < spec.database.nodes.size(); ++i) {
    if (!spec.database.nodes[i].ssh) continue;
    parts.push_back({ChildPath(ItemPath("spec.database.nodes", i), "ssh"),
                     "the node's machine is not reached by SSH yet"});
  }
  for (const Part& part : kParts) {
    const std::string_view path = part.path;
    const bool reconciled = (local && path == "spec.database.configuration") ||
                            (local && path == "spec.database.resync") ||
                            (local && path == "spec.database.splitBrain");
    if (!reconciled && Stated(root, part.path) != nullptr)
      parts.push_back({part.path, part.sentence});
  }
  return parts;
}

}  // namespace pandora_ha
