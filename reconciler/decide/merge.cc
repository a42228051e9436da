#include "reconciler/decide/merge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/guards.h"

namespace pandora_ha {
namespace {

constexpr Seconds kSeenWithin{10};  // that an order was taken up
constexpr Seconds kAgainAfter{60};  // a failure, or what was in the way

// The archive speaks of this node's rows, and the primary of this epoch has to have them.
bool IsOfNow(const Memory& memory, const NodeMemory& node) {
  return node.merge && node.archive && node.merge->archive == node.archive->id &&
         node.merge->epoch == memory.epoch;
}

std::string IdOf(const Merge& merge) {
  return merge.archive + "@" + std::to_string(merge.epoch.number) + "." +
         std::to_string(merge.tries);
}

void Begin(Context& c, const DatabaseSeen& node, NodeMemory& remembered) {
  Merge& merge = remembered.merge.emplace();
  merge.archive = remembered.archive->id;
  merge.epoch = c.memory.epoch;
  merge.id = IdOf(merge);
  // One that failed before the document asked for a merge again, or before this manager acted.
  const auto& seen = node.process->merge;
  if (seen && seen->phase == MergeSeen::Phase::kFailed && seen->id == merge.id) {
    ++merge.tries;
    merge.id = IdOf(merge);
  }
}

void Fail(Context& c, Merge& merge, const MergeSeen& seen) {
  ++merge.tries;
  merge.id = IdOf(merge);
  // A commit that waited for a replica ended the try by its time limit.
  if (seen.not_now || FindSeen(c.seen, *c.memory.primary)->state->semi_sync.commits_wait()) {
    merge.waits_for = seen.why;
    merge.why.clear();
    merge.not_before = c.now() + kAgainAfter;
    return;
  }
  ++merge.failures;
  merge.why = seen.why;
  merge.waits_for.clear();
  merge.not_before = c.now() + kAgainAfter * (1 << std::min(merge.failures - 1, 6));
}

// Empty: it may go on.
std::string WhyUnwanted(const Context& c, const DatabaseSeen& node, const MergeSeen& seen) {
  if (c.spec.suspend) return "spec.suspend is set";
  if (c.memory.guards.paused) return "the cluster is paused";
  if (PausedOf(c.memory, node.name) != nullptr) return node.name.text + " is paused";
  if (c.memory.primary && PausedOf(c.memory, *c.memory.primary) != nullptr)
    return c.memory.primary->text + ", which it writes to, is paused";
  const NodeMemory& remembered = MemoryOf(std::as_const(c.memory), node.name);
  const bool waited_for =
      IsOfNow(c.memory, remembered) && remembered.merge->id == seen.id && !c.memory.promotion;
  return waited_for ? "" : "nobody waits for it any more";
}

}  // namespace

bool IsMerged(const Memory& memory, const NodeMemory& node) {
  return IsArchived(node) && IsOfNow(memory, node) && node.merge->done;
}

bool IsMergeGivenUp(const ClusterSpec& spec, const NodeMemory& node) {
  return node.merge && !node.merge->done &&
         node.merge->failures > spec.database.split_brain.max_retries;
}

void MergeWhereDeclared(Context& c, const DatabaseSeen& node) {
  const SplitBrainSpec& declared = c.spec.database.split_brain;
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!declared.autofix || declared.rows != SplitBrainRows::kMerge ||
      remembered.history != History::kDiverged) {
    remembered.merge.reset();
    return;
  }
  if (!IsArchived(remembered) || remembered.archive->divergence.OnlyMarks() ||
      !node.process.known() || IsMerged(c.memory, remembered)) {
    return;
  }
  if (!IsOfNow(c.memory, remembered)) Begin(c, node, remembered);
  Merge& merge = *remembered.merge;
  if (const auto& seen = node.process->merge; seen && seen->id == merge.id) {
    switch (seen->phase) {
      case MergeSeen::Phase::kWorking:
        merge.why.clear();
        return;
      case MergeSeen::Phase::kDone:
        merge.done = true;
        merge.rows = seen->rows;
        merge.why.clear();
        merge.waits_for.clear();
        return;
      case MergeSeen::Phase::kFailed:
        Fail(c, merge, *seen);
        return;
    }
  }
  if (c.now() < merge.not_before || IsMergeGivenUp(c.spec, remembered)) return;
  // A merge would fail by waiting, though nothing is wrong with it.
  if (FindSeen(c.seen, *c.memory.primary)->state->semi_sync.commits_wait()) {
    merge.waits_for = "commits on " + c.memory.primary->text + " wait for a replica";
    return;
  }
  merge.waits_for.clear();
  merge.not_before = c.now() + kSeenWithin;
  c.Do(MergeOwnRows{node.name, merge.id, remembered.archive->place, *c.memory.primary,
                    c.memory.epoch},
       "the document says so, and the primary lacks them", kStartStep,
       {IsWritable{*c.memory.primary}});
}

void EndUnwantedMerges(Context& c) {
  Plan& plan = c.decision.plan;
  if (plan.ordered) return;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!node.process.known() || !node.process->merge) continue;
    const MergeSeen& merge = *node.process->merge;
    if (merge.phase != MergeSeen::Phase::kWorking) continue;
    const std::string why = WhyUnwanted(c, node, merge);
    if (why.empty()) continue;
    if (plan.empty())
      plan.purpose = "end the merge of what " + node.name.text + " committed by itself";
    c.Do(StopMerge{node.name, merge.id}, why, kQuickStep);
  }
}

}  // namespace pandora_ha
