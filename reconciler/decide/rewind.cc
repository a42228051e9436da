#include "reconciler/decide/rewind.h"

#include "reconciler/decide/archive.h"
#include "reconciler/decide/rebuild.h"
#include "reconciler/decide/verification.h"

namespace pandora_ha {
namespace {

constexpr Seconds kSeenWithin{10};  // that an order was taken up; after it, that it shows
constexpr Seconds kAgainAfter{10};
constexpr int kMostTries = 3;  // what keeps failing, a copy does not

// Its own transactions are kept and may go. A manager's marks are nobody's rows: for them nobody
// has to ask.
bool MayLoseThem(const Context& c, const NodeMemory& remembered) {
  const SplitBrainSpec& declared = c.spec.database.split_brain;
  if (remembered.history != History::kDiverged || !IsArchived(remembered)) return false;
  return remembered.archive->divergence.OnlyMarks() ||
         (declared.autofix && declared.rejoin == SplitBrainRejoin::kRewind &&
          MayGoWithItsRows(c.spec, c.memory, remembered));
}

bool MayBeRewound(const Context& c, const DatabaseSeen& node, const NodeMemory& remembered) {
  return MayLoseThem(c, remembered) && !remembered.rebuild && c.memory.primary_lost.empty() &&
         node.process.known() && HasArchive(node, remembered) && node.state.known() &&
         !node.state->writable && node.state->version.flavor == Flavor::kMariaDb;
}

std::string IdOf(const Rewind& rewind) {
  return rewind.archive + "@" + std::to_string(rewind.failures);
}

// What was known of its history is over: it holds less than it had received.
void Finish(const Context& c, NodeMemory& remembered) {
  if (!remembered.archive || !remembered.archive->divergence.OnlyMarks())
    OweVerification(c, remembered);
  remembered.history = History::kUnjudged;
  remembered.received = remembered.received.Subtract(remembered.errant);
  remembered.errant = remembered.executed = {};
  remembered.archive.reset();
  remembered.merge.reset();
  remembered.rewind.reset();
}

}  // namespace

bool RewindWhereDeclared(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  // Perhaps it is seen to lack nothing and have nothing already.
  if (remembered.rewind && node.process.known() && node.process->rewind &&
      node.process->rewind->id == remembered.rewind->id &&
      node.process->rewind->phase == JobSeen::Phase::kDone) {
    Finish(c, remembered);
    return true;
  }
  if (!MayBeRewound(c, node, remembered)) {
    remembered.rewind.reset();
    return false;
  }
  if (!remembered.rewind || remembered.rewind->archive != remembered.archive->id) {
    Rewind& begun = remembered.rewind.emplace();
    begun.archive = remembered.archive->id;
    begun.id = IdOf(begun);
  }
  Rewind& rewind = *remembered.rewind;
  if (rewind.refused) return false;
  if (const auto& seen = node.process->rewind; seen && seen->id == rewind.id) {
    switch (seen->phase) {
      case JobSeen::Phase::kWorking:
      case JobSeen::Phase::kDone:  // above
        return true;
      case JobSeen::Phase::kFailed:
        rewind.refused = ++rewind.failures >= kMostTries || seen->never;
        rewind.id = IdOf(rewind);
        rewind.why = seen->why;
        rewind.not_before = c.now() + kAgainAfter;
        break;
    }
  }
  if (rewind.refused) return false;
  if (c.now() < rewind.not_before) return true;
  rewind.not_before = c.now() + kSeenWithin;
  c.Do(RewindServer{node.name, rewind.id, remembered.archive->place},
       (remembered.archive->divergence.OnlyMarks()
            ? "they are marks of a manager, which nobody misses, and it can follow "
            : "its rows are kept, and it can follow ") +
           c.memory.primary->text + " without them",
       kStartStep, {IsReadOnly{node.name}});
  return true;
}

}  // namespace pandora_ha
