// One manager in the simulated world: its eyes, its memory and its hands.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "tests/simulation/world.h"

namespace pandora_ha::simulation {

struct Manager {
  int index = 0;
  bool alive = true;
  bool frozen = false;
  TimePoint returns_at{};
  TimePoint next_tick{};
  int crash_in = -1, freeze_in = -1;  // hooks left; -1: not at all
  Duration away{};                    // how long the crash or the freeze lasts
  Memory memory;                      // of the process
  Memory stored;                      // durable
  std::uint64_t looks = 0;
  std::vector<std::uint64_t> attempts;
  std::vector<std::optional<TimePoint>> unanswered_since;
  std::optional<Observation> seen;
  std::vector<Intent> inbox;        // not taken up; who asked a dead manager asks again
  std::set<std::string> failbacks;  // that it asked for by itself
  bool acts = false;                // at its last look …
  TimePoint acts_since{};           // … and without a break since then

  int place() const { return kFirstManager + index; }
};

// Lets virtual time pass, with faults and checks.
using Pass = std::function<void(Duration)>;

// Looks at every node, at slightly different moments. `noise` tells whether this look at a node is
// lost.
Observation Look(World& world, Manager& manager, const Pass& pass,
                 const std::function<bool(int)>& noise);

// Asked immediately before a step.
bool Holds(const World& world, const Manager& manager, const Condition& condition);

// Tries one action in the world. True when done. `broken` gets what must never happen.
bool Perform(World& world, const Manager& manager, const Action& action,
             const std::function<void(int, std::string)>& broken);

}  // namespace pandora_ha::simulation
