#include <algorithm>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

const DatabaseNodeSpec* FindNode(const ClusterSpec& spec, const NodeName& name) {
  const auto& nodes = spec.database.nodes;
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const DatabaseNodeSpec& node) { return node.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

std::vector<NodeName> PreferenceOrder(const ClusterSpec& spec) {
  std::vector<NodeName> order;
  const auto add = [&](const NodeName& name) {
    if (FindNode(spec, name) != nullptr &&
        std::find(order.begin(), order.end(), name) == order.end()) {
      order.push_back(name);
    }
  };
  for (const NodeName& name : spec.database.master_preference) add(name);
  for (const DatabaseNodeSpec& node : spec.database.nodes) add(node.name);
  return order;
}

const DatabaseSeen* FindSeen(const Observation& seen, const NodeName& name) {
  const auto found = std::find_if(seen.databases.begin(), seen.databases.end(),
                                  [&](const DatabaseSeen& node) { return node.name == name; });
  return found == seen.databases.end() ? nullptr : &*found;
}

bool SameIntent(const Memory& a, const Memory& b) {
  if (a.cluster != b.cluster || a.boot_id != b.boot_id || a.epoch != b.epoch ||
      a.primary != b.primary || a.promotion != b.promotion ||
      a.durability_in_force != b.durability_in_force || a.loss != b.loss ||
      a.primary_lost != b.primary_lost || a.clients_cut_from != b.clients_cut_from ||
      a.manager != b.manager || a.guards != b.guards || a.guards_seen != b.guards_seen ||
      a.guards_unwritten != b.guards_unwritten || a.failed_over_at != b.failed_over_at ||
      a.intents != b.intents || a.failback_not_before != b.failback_not_before ||
      a.nodes.size() != b.nodes.size()) {
    return false;
  }
  return std::equal(
      a.nodes.begin(), a.nodes.end(), b.nodes.begin(), [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.lossless == y.second.lossless &&
               x.second.deposed == y.second.deposed && x.second.discard == y.second.discard &&
               x.second.history == y.second.history && x.second.errant == y.second.errant &&
               x.second.rebuild == y.second.rebuild && x.second.archive == y.second.archive &&
               x.second.merge == y.second.merge &&
               x.second.rebuild_failed == y.second.rebuild_failed;
      });
}

NodeMemory& MemoryOf(Memory& memory, const NodeName& name) {
  return memory.nodes[name];
}

const NodeMemory& MemoryOf(const Memory& memory, const NodeName& name) {
  static const NodeMemory kEmpty;
  const auto found = memory.nodes.find(name);
  return found == memory.nodes.end() ? kEmpty : found->second;
}

static const Guard* Find(const std::map<NodeName, Guard>& guards, const NodeName& node) {
  const auto found = guards.find(node);
  return found == guards.end() ? nullptr : &found->second;
}

const Guard* PausedOf(const Memory& memory, const NodeName& node) {
  return Find(memory.guards.paused_nodes, node);
}

const Guard* FencedOf(const Memory& memory, const NodeName& node) {
  return Find(memory.guards.fenced_nodes, node);
}

}  // namespace pandora_ha
