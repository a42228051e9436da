// What the parts of one decision share. Internal to decide/.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

struct Context {
  const ClusterSpec& spec;
  const Observation& seen;
  const Memory& before;  // as it was given to Decide
  Memory& memory;        // decision.memory, being written
  Decision& decision;

  TimePoint now() const { return seen.taken_at.mono; }

  void Block(BlockReason reason, std::string says, std::string who,
             std::optional<TimePoint> until = std::nullopt) {
    decision.blocked.push_back({reason, std::move(says), std::move(who), until});
  }
  // Without it the steps behind it would still be right: its failure is said and stops nothing.
  void DoOrGoOn(Action action, std::string because, Duration deadline) {
    decision.plan.steps.push_back({std::move(action), std::move(because), {}, deadline, true});
  }
  void Do(Action action, std::string because, Duration deadline,
          std::vector<Condition> requires_ = {}) {
    decision.plan.steps.push_back(
        {std::move(action), std::move(because), std::move(requires_), deadline});
  }
};

// Deadlines of steps. A promotion's waits are bounded by the tick's next look, not by hope.
inline constexpr Duration kQuickStep = Seconds(2);
inline constexpr Duration kFenceStep = Seconds(5);
inline constexpr Duration kStartStep = Seconds(10);
inline constexpr Duration kDrainStep = Seconds(10);

// Starts the server's process when it has ended and its owner can be asked, with a growing pause
// between attempts. True when a step was added.
bool StartIfEnded(Context& c, const NodeName& node, const std::string& because);

// Adds the step that takes the writes of a node beside `primary` away. Gives what proves that they
// are gone; nothing, and a block, when only a person can do it: a commit that waits for an
// acknowledgement which nobody gives holds up read_only, and every way to release it commits it
// (invariant 5), so that only the end of the process helps.
std::optional<Condition> TakeWritesAway(Context& c, const DatabaseSeen& node,
                                        const NodeName& primary);

// Steps that open `node` in the memory's epoch: what was received applied,
// replication left, semi-sync role, open, provision, marker, publish.
void AddOpeningSteps(Context& c, const NodeName& node, const std::string& because,
                     std::vector<Condition> before_opening);

}  // namespace pandora_ha
