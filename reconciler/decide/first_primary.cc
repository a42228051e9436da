#include "reconciler/decide/first_primary.h"

#include <algorithm>

#include "reconciler/decide/promotion.h"

namespace pandora_ha {
namespace {

Epoch HighestMarker(const Observation& seen) {
  Epoch highest = seen.publication.epoch;
  for (const DatabaseSeen& node : seen.databases) {
    if (node.state.known() && node.state->heartbeat)
      highest = std::max(highest, node.state->heartbeat->epoch);
  }
  return highest;
}

}  // namespace

void DecideFirstPrimary(Context& c) {
  std::string waiting;
  std::vector<NodeName> writable;
  for (const DatabaseNodeSpec& node : c.spec.database.nodes) {
    StartIfEnded(c, node.name, "the cluster is being started");
    const DatabaseSeen* database = FindSeen(c.seen, node.name);
    if (database == nullptr || !database->state.known()) {
      waiting +=
          (waiting.empty() ? "" : ", ") + node.name.text + " (" +
          (database == nullptr ? "not looked at" : std::string(ToString(database->contact))) + ")";
    } else if (database->state->writable) {
      writable.push_back(node.name);
    }
  }
  if (!c.decision.plan.empty()) c.decision.plan.purpose = "start the servers";
  if (!waiting.empty()) {
    c.Block(BlockReason::kNoCandidate,
            "The first start needs an answer from every declared node; missing: " + waiting + ".",
            "whoever can start the missing nodes, or remove them from the document");
    return;
  }
  if (writable.size() > 1) {
    c.Block(BlockReason::kSplitBrain,
            writable[0].text + " and " + writable[1].text +
                " both accept writes, and which of them is right is not recorded.",
            "an operator, by setting read_only on the wrong one");
    return;
  }
  const Epoch epoch = std::max(c.memory.epoch, HighestMarker(c.seen)).Next();
  if (writable.size() == 1) {
    // Rows that the others hold and it lacks would be lost to the cluster: they are judged
    // afterwards.
    BeginPromotion(c, std::nullopt, epoch,
                   writable[0].text + " is the one node that accepts writes");
    PromoteTo(c, writable[0], true, {});
    return;
  }
  BeginPromotion(c, std::nullopt, epoch, "the cluster starts with its preferred node");
  AdvancePromotion(c);
  if (!c.memory.promotion->to && c.decision.plan.empty()) {
    c.memory.promotion.reset();
    c.memory.epoch = c.before.epoch;
  }
}

}  // namespace pandora_ha
