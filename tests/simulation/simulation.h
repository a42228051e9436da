// Runs one schedule: managers that look, decide, store and act in a world that breaks, and the
// checks of what must never happen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/schedule.h"

namespace pandora_ha::simulation {

struct Broken {
  int invariant = 0;  // of docs/invariants.md; 0: liveness; -1: not deterministic
  std::string says;
  std::string when;  // virtual time
};

struct Statistics {
  std::uint64_t schedules = 0, ticks = 0, decisions = 0, promotions = 0, acknowledged = 0;
  std::map<std::string, std::uint64_t> faults;   // by kind
  std::map<std::string, std::uint64_t> intents;  // by kind and what became of them
  std::map<std::string, std::uint64_t>
      ends;                             // by the state that was reached at last, with its findings
  std::set<std::pair<int, int>> pairs;  // state, first action of the plan

  void Add(const Statistics& other);
};

struct Outcome {
  std::optional<Broken> broken;
  Statistics statistics;
  std::vector<std::string> trace;  // readable; empty unless asked for
};

Outcome Run(const Schedule& schedule, const KnownBad& bad, bool trace);

// Drops faults one by one for as long as the schedule still fails in the same invariant.
Schedule Shrink(Schedule schedule, const KnownBad& bad);

// The schedule, what broke, and how to run it again.
std::string Report(const Schedule& schedule, const KnownBad& bad, const std::string& options);

}  // namespace pandora_ha::simulation
