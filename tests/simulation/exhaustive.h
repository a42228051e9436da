// Tries every order of looks, faults and recoveries of a small world, breadth first: what breaks
// first has no shorter way to break.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/small_world.h"

namespace pandora_ha::simulation {

struct Bounds {
  int faults = 2;  // at most so many on one way
  int depth = 0;   // events on one way; 0: until nothing new is found
  std::size_t most_states = 2'000'000;
};

struct Exploration {
  std::uint64_t states = 0;       // that differ
  std::uint64_t transitions = 0;  // events that were done
  int depth = 0;                  // every way of so many events was tried …
  bool closed = false;            // … and there are no others
  std::map<int, std::uint64_t> by_faults;
  std::map<std::string, std::uint64_t> rests;  // where the world comes to rest once nothing breaks
  std::optional<Broken> broken;
  std::vector<std::string> trace;  // the shortest way to it, step by step
};

// From a healthy cluster of two. In every state the world is asked what must never happen, and from
// every state it must come to rest once every fault is over, and stay there. `over` is asked now
// and then; true ends the search.
Exploration Explore(const WorldKind& kind, const KnownBad& bad, const Bounds& bounds,
                    const std::function<bool()>& over);

}  // namespace pandora_ha::simulation
