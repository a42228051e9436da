#include "reconciler/decide/lost_tail.h"

#include "reconciler/decide/election.h"

namespace pandora_ha {
namespace {

// An open primary lacks what it had; that somebody else still has it.
std::string LostWhileOpen(const Observation& seen, const Memory& memory, const NodeName& primary) {
  if (memory.primary != primary || memory.primary_lost.empty()) return "";
  for (const DatabaseSeen& other : seen.databases) {
    const NodeMemory& remembered = MemoryOf(memory, other.name);
    if (other.name == primary || !other.state.known() || remembered.deposed ||
        remembered.history == History::kDiverged) {
      continue;
    }
    const GtidSet held = HeldBy(*other.state);
    if (held.Contains(memory.primary_lost))
      return "it lost transactions that it had committed, and " + other.name.text + " has them";
  }
  return "";
}

}  // namespace

std::string LostTailOf(const Observation& seen, const Memory& memory, const NodeName& primary) {
  const DatabaseSeen* database = FindSeen(seen, primary);
  if (database == nullptr || !database->state.known() || database->contact != Contact::kAnswered)
    return "";
  if (const std::string lost = LostWhileOpen(seen, memory, primary); !lost.empty()) return lost;
  if (database->state->writable) return "";
  const GtidSet& received = MemoryOf(memory, primary).received;
  if (const auto missing = received.CountMissingIn(HeldBy(*database->state)); missing > 0) {
    return "it came back without " + std::to_string(missing) +
           " transactions that it had received before it was chosen";
  }
  for (const DatabaseSeen& other : seen.databases) {
    if (other.name == primary || !other.state.known()) continue;
    const NodeMemory& remembered = MemoryOf(memory, other.name);
    if (remembered.deposed || remembered.history == History::kDiverged) continue;
    const std::uint64_t missing = HeldBy(*other.state).CountMissingIn(database->state->executed);
    if (missing > 0) {
      return "it came back without " + std::to_string(missing) + " transactions that " +
             other.name.text + " received from it";
    }
  }
  return "";
}

}  // namespace pandora_ha
