#include "reconciler/decide/marks.h"

#include <algorithm>

#include "reconciler/decide/archive.h"

namespace pandora_ha {
namespace {

// A mark a second for a quarter of an hour. More of them, and it is a copy's turn.
constexpr std::uint64_t kMostMarks = 900;

// A commit on the primary would wait, and for nobody but the node itself, which does not receive.
bool WouldWait(const Context& c, const DatabaseSeen& primary, const NodeName& node) {
  return primary.state->semi_sync.source_waiting &&
         std::none_of(c.seen.databases.begin(), c.seen.databases.end(),
                      [&](const DatabaseSeen& other) {
                        return other.name != node && other.name != primary.name &&
                               other.state.known() && other.state->semi_sync.replica_active;
                      });
}

}  // namespace

bool AreMarksToEnter(const Context& c, const DatabaseSeen& node) {
  const NodeMemory& remembered = MemoryOf(std::as_const(c.memory), node.name);
  const DatabaseState& primary = *FindSeen(c.seen, *c.memory.primary)->state;
  return primary.version.flavor == Flavor::kMySql && remembered.history == History::kDiverged &&
         IsArchived(remembered) && remembered.archive->divergence.OnlyMarks() &&
         remembered.errant.CountMissingIn({}) <= kMostMarks &&
         // What the primary itself wrote and lost: it may give the same number again.
         remembered.errant.WrittenBy(primary.server_uuid).empty();
}

void EnterMarks(Context& c, const DatabaseSeen& node) {
  const DatabaseSeen& primary = *FindSeen(c.seen, *c.memory.primary);
  if (MemoryOf(c.memory, node.name).rebuild || !AreMarksToEnter(c, node) ||
      WouldWait(c, primary, node.name)) {
    return;
  }
  c.Do(InjectEmpty{primary.name, node.name, MemoryOf(c.memory, node.name).errant},
       "they are marks of a manager, which nobody misses, and " + node.name.text +
           " can follow then",
       kQuickStep, {IsWritable{primary.name}});
}

}  // namespace pandora_ha
