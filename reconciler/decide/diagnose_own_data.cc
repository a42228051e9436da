#include "reconciler/decide/diagnose_own_data.h"

#include "reconciler/decide/archive.h"
#include "reconciler/decide/merge.h"
#include "reconciler/decide/rebuild.h"

namespace pandora_ha {
namespace {

std::string Transactions(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " transaction" : " transactions");
}

// MariaDB numbers the transactions of all servers in one row: what lies below an errant one is the
// primary's, and is not counted.
std::uint64_t CountErrant(const NodeMemory& node, const GtidSet& primary) {
  const GtidSet shared = node.executed.Subtract(node.executed.Subtract(primary));
  return shared.Union(node.errant).CountMissingIn(primary);
}

void DiagnoseMerge(const Situation& s, const NodeName& name, const NodeMemory& node) {
  if (!node.merge || node.merge->done || !s.memory.primary || node.merge->epoch != s.memory.epoch)
    return;
  const Merge& merge = *node.merge;
  const std::string what = "What " + name.text + " committed by itself is ";
  const std::string& primary = s.memory.primary->text;
  if (!merge.why.empty() && merge.waits_for.empty()) {
    s.Add(FindingCode::kMergeFailed, name,
          what + "not in " + primary + ": " + merge.why +
              (IsMergeGivenUp(s.spec, node)
                   ? ". Given up after " + std::to_string(merge.failures) + " attempts."
                   : ". It is tried again."));
    return;
  }
  const DatabaseSeen* seen = FindSeen(s.seen, name);
  const auto& work = seen != nullptr && seen->process.known() ? seen->process->merge : std::nullopt;
  std::string how_far = merge.waits_for.empty() ? "" : "; it waits: " + merge.waits_for;
  if (work && work->id == merge.id && work->phase == MergeSeen::Phase::kFailed) {
    how_far = "; it waits: " + work->why;
  } else if (work && work->id == merge.id && work->all > 0) {
    how_far =
        ": " + std::to_string(work->done) + " of " + std::to_string(work->all) + " transactions";
  }
  s.Add(FindingCode::kNodeMerging, name, what + "being merged into " + primary + how_far + ".");
}

void DiagnoseRewind(const Situation& s, const NodeName& name, const NodeMemory& node) {
  if (!node.rewind || node.rewind->refused) return;
  const DatabaseSeen* seen = FindSeen(s.seen, name);
  const auto& work =
      seen != nullptr && seen->process.known() ? seen->process->rewind : std::nullopt;
  std::string how_far;
  if (work && work->id == node.rewind->id && work->all > 0) {
    how_far = ": " + std::to_string(work->done) + " of " + std::to_string(work->all) + " rows";
  } else if (!node.rewind->why.empty()) {
    how_far = "; a try has failed: " + node.rewind->why;
  }
  s.Add(FindingCode::kNodeRewinding, name,
        "What " + name.text + " committed by itself is being taken back on it" + how_far + ".");
}

}  // namespace

bool DiagnoseRebuild(const Situation& s, const DatabaseSeen& node) {
  const NodeMemory& remembered = MemoryOf(s.memory, node.name);
  if (!remembered.rebuild_failed.empty()) {
    s.Add(FindingCode::kRebuildFailed, node.name,
          "The data of " + node.name.text +
              " could not be made anew: " + remembered.rebuild_failed + ".");
  }
  if (!remembered.rebuild) return false;
  const bool copying = node.process.known() && node.process->copy &&
                       node.process->copy->id == remembered.rebuild->id &&
                       node.process->copy->phase == CopySeen::Phase::kCopying;
  s.Add(FindingCode::kNodeRebuilding, node.name,
        "The data of " + node.name.text + " is being made anew" +
            (copying ? ": " + Progress(*node.process->copy, s.seen.taken_at.mono)
             : remembered.rebuild->failures > 0
                 ? "; attempt " + std::to_string(remembered.rebuild->failures) + " has failed"
                 : "") +
            ".");
  return copying;
}

void DiagnoseVerification(const Situation& s, const DatabaseSeen& node) {
  const auto& owed = MemoryOf(s.memory, node.name).verification;
  if (!owed || owed->epoch != s.memory.epoch || !s.memory.primary) return;
  const std::string pair = node.name.text + " and " + s.memory.primary->text;
  const std::optional<VerificationSeen> work =
      node.process.known() ? node.process->verification : std::nullopt;
  const bool working = work && work->id == owed->id && work->phase == JobSeen::Phase::kWorking;
  if (!owed->differs.empty()) {
    s.Add(FindingCode::kRowsDiffer, node.name,
          "The rows of " + pair + " are not the same: " + owed->differs + ".");
  } else if (owed->given_up()) {
    s.Add(FindingCode::kNotVerified, node.name,
          "Whether " + pair + " have the same rows is not known: " + owed->why + ".");
  } else {
    std::string how_far;
    if (working && work->all > 0) {
      how_far = ": " + std::to_string(work->done) + " of about " + std::to_string(work->all);
    } else if (!owed->why.empty()) {
      how_far = "; a try has failed: " + owed->why;
    }
    s.Add(FindingCode::kNodeVerifying, node.name,
          "The rows of " + pair + (working ? " are being compared" : " are to be compared") +
              how_far + ".");
  }
}

void DiagnoseDivergence(const Situation& s, const NodeName& name, const NodeMemory& node) {
  const bool archived = IsArchived(node);
  const std::uint64_t count = archived ? node.archive->divergence.transactions
                                       : CountErrant(node, s.memory.primary_executed);
  std::string says = name.text + " has " + Transactions(count) +
                     " that the primary lacks: " + node.errant.ToString();
  if (archived)
    says += "; " + Describe(node.archive->divergence) + ", kept in " + node.archive->place;
  if (IsMerged(s.memory, node))
    says += "; in " + s.memory.primary->text + ": " + Describe(node.merge->rows);
  if (node.deposed && node.discard)
    says += "; what it held when it was replaced had been acknowledged to nobody";
  if (node.rewind && node.rewind->refused) says += "; only a copy helps: " + node.rewind->why;
  s.Add(FindingCode::kNodeDiverged, name, says + ".");
  if (archived && node.archive->divergence.OnlyMarks()) {
    s.out->back().severity = Severity::kWarning;
    s.Remedy(
        "nothing has to be saved; where it does not follow again by itself, `pandora-ha resync " +
        name.text + "` makes it anew");
  }
  if (node.archive && !node.archive->why.empty()) {
    s.Add(FindingCode::kArchiveFailed, name,
          "What " + name.text + " committed by itself could not be archived: " + node.archive->why +
              ".");
  }
  DiagnoseMerge(s, name, node);
  DiagnoseRewind(s, name, node);
}

}  // namespace pandora_ha
