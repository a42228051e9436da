// What people have asked every manager to keep to: a pause, a fence, the failover that nobody has
// looked into yet. It is true for the cluster and not for one manager; hence it travels in the
// cluster's own database (docs/decisions/0013-shared-guards.md).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

// A person keeps us off something.
struct Guard {
  std::string by;
  std::string reason;
  WallTime since{};
  std::optional<WallTime> until;  // none: until the person takes it away

  bool operator==(const Guard&) const = default;
};

struct Guards {
  std::optional<Guard> paused;             // no step at all
  std::map<NodeName, Guard> paused_nodes;  // maintenance: no step touches the node
  std::map<NodeName, Guard> fenced_nodes;  // its server is kept down
  // The last failover that no person asked for, until it is acknowledged; by the clock of the
  // manager that made it.
  std::optional<WallTime> failed_over_at;
  // The present primary was chosen by a person: no failback undoes it.
  std::optional<Guard> chosen;

  bool operator==(const Guards&) const = default;
};

// Orders the copies: a change in a later epoch is later, whoever made it.
struct GuardsVersion {
  Epoch epoch;
  std::uint64_t change = 0;  // grows by one with every change that is written

  auto operator<=>(const GuardsVersion&) const = default;
};

// One row as it lies in the database.
struct GuardsCopy {
  GuardsVersion version;
  std::string writer;  // the id of the manager that wrote it, see Memory::manager
  Guards guards;

  bool operator==(const GuardsCopy&) const = default;
};

// A row that is there and cannot be read, or may be there: unknown, and not "no guard".
struct UnreadGuards {
  GuardsVersion version;  // 0 and 0 when not even that could be read
  std::string why;        // a clause

  bool operator==(const UnreadGuards&) const = default;
};

// Longer documents are neither written nor read.
inline constexpr std::size_t kMostGuardsBytes = 16000;

}  // namespace pandora_ha
