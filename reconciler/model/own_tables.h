// Our own tables in the schema that is looked after. What is written to them alone is a manager's
// mark, which nobody misses. Every other table is the site's, whatever its name: the demonstration
// keeps its rows in `pandora_ha_demo`, and their loss would be a loss.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace pandora_ha {

inline constexpr char kHeartbeatTable[] = "pandora_ha_heartbeat";
inline constexpr char kGuardsTable[] = "pandora_ha_guards";
inline constexpr char kMergedTable[] = "pandora_ha_merged";
inline constexpr char kMergedEventTable[] = "pandora_ha_merged_event";
inline constexpr char kRewoundTable[] = "pandora_ha_rewound";

inline bool IsOwnTable(std::string_view name) {
  constexpr std::array<std::string_view, 5> kAll = {kHeartbeatTable, kGuardsTable, kMergedTable,
                                                    kMergedEventTable, kRewoundTable};
  return std::find(kAll.begin(), kAll.end(), name) != kAll.end();
}

}  // namespace pandora_ha
