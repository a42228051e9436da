#include "reconciler/decide/archive.h"

#include <algorithm>
#include <string>

namespace pandora_ha {
namespace {

constexpr Seconds kSeenWithin{10};  // that an order was taken up
constexpr Seconds kAgainAfter{60};  // a failure: room is made, or a setting changed, by people

void Begin(Context& c, const DatabaseSeen& node, NodeMemory& remembered) {
  Archive& archive = remembered.archive.emplace();
  archive.id = node.name.text + "-" + std::to_string(c.memory.epoch.number) + "-" +
               std::to_string(c.now().time_since_epoch().count());
  archive.own = remembered.errant;
}

void Fail(Context& c, Archive& archive, const std::string& why) {
  ++archive.failures;
  archive.done = false;
  archive.why = why;
  archive.id = archive.id.substr(0, archive.id.find('.')) + "." + std::to_string(archive.failures);
  archive.not_before = c.now() + kAgainAfter * (1 << std::min(archive.failures - 1, 6));
}

}  // namespace

bool IsArchived(const NodeMemory& node) {
  return node.archive && node.archive->done && node.archive->own == node.errant;
}

void ArchiveWhereDiverged(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (remembered.history != History::kDiverged) return;
  if (!node.process.known() || !node.state.known() || node.state->writable) return;
  if (!remembered.archive || remembered.archive->own != remembered.errant)
    Begin(c, node, remembered);
  Archive& archive = *remembered.archive;
  if (const auto& seen = node.process->archive; seen && seen->id == archive.id) {
    switch (seen->phase) {
      case ArchiveSeen::Phase::kWorking:
        return;
      case ArchiveSeen::Phase::kDone:
        archive.done = true;
        archive.place = seen->place;
        archive.divergence = seen->divergence;
        archive.why.clear();
        return;
      case ArchiveSeen::Phase::kFailed:
        Fail(c, archive, seen->why);
        return;
    }
  }
  // Another manager's archive came after ours: ours is asked for again, and is still there.
  if (c.now() < archive.not_before) return;
  archive.not_before = c.now() + kSeenWithin;
  // What the primary lost it does not know.
  const GtidSet known = c.memory.primary_executed.Subtract(c.memory.primary_lost);
  c.Do(ArchiveOwnRows{node.name, archive.id, known, archive.own}, "it may be nowhere else",
       kStartStep, {IsReadOnly{node.name}});
}

bool HasArchive(const DatabaseSeen& node, const NodeMemory& remembered) {
  const auto& archive = node.process->archive;
  return archive && archive->id == remembered.archive->id &&
         archive->phase == ArchiveSeen::Phase::kDone;
}

}  // namespace pandora_ha
