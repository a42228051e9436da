#include "reconciler/app/change_of_roles.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace pandora_ha {
namespace {

using nlohmann::json;

std::string Now(const json& node) {
  const std::string role = TextOf(node, "role");
  if (role == "replica") {
    const std::string lag = TextOf(node, "lagSeconds");
    return "replica, lag " + (lag.empty() ? "unknown" : lag + " s");
  }
  return role == "unknown" ? TextOf(node, "contact") : role;
}

// What a promotion that may lose rows would lose, as of the last look.
std::string WithoutWhat(const json& node, const Wish& wish) {
  const auto* failover = std::get_if<ForcedFailover>(&wish);
  const std::string behind = TextOf(node, "behind");
  if (failover == nullptr || !failover->allow_data_loss || behind.empty() || behind == "0")
    return "";
  return ", without the last " + behind + (behind == "1" ? " transaction" : " transactions") +
         " or more";
}

// Of a pair, only the other one is left.
std::string OnlyOther(const json& nodes, const std::string& primary) {
  if (nodes.size() != 2) return "";
  const std::string first = TextOf(nodes[0], "name");
  return first == primary ? TextOf(nodes[1], "name") : first;
}

}  // namespace

bool ChangesRoles(const Wish& wish) {
  return std::holds_alternative<Switchover>(wish) || std::holds_alternative<ForcedFailover>(wish) ||
         std::holds_alternative<Fence>(wish);
}

std::string RenderChange(const json& status, const Wish& wish, std::string next,
                         const Style& style) {
  static const json kNone = json::array();
  const std::string primary = TextOf(status, "primary");
  const auto found = status.is_object() ? status.find("nodes") : status.end();
  const json& nodes = found != status.end() && found->is_array() ? *found : kNone;
  const auto* fence = std::get_if<Fence>(&wish);
  const bool another = fence == nullptr || fence->node.text == primary;
  if (next.empty() && another) next = OnlyOther(nodes, primary);
  const std::string source = next.empty() ? "the new primary" : next;
  Table table({"NODE", "NOW", "AFTERWARDS"});
  for (const json& node : nodes) {
    const std::string name = TextOf(node, "name");
    std::string after = "replica of " + source;
    if (!another) after = name == primary ? "primary" : "replica of " + primary;
    if (another && name == next) after = "primary" + WithoutWhat(node, wish);
    if (another && next.empty() && name != primary)
      after = "primary, or replica of the new primary";
    if (fence != nullptr && name == fence->node.text)
      after = "down until `pandora-ha unfence " + name + "`";
    if (std::holds_alternative<ForcedFailover>(wish) && name == primary)
      after = "fenced, then replica of " + source + " if it holds no rows of its own";
    table.Add({{name}, {Now(node)}, {after}});
  }
  return table.Print(style);
}

}  // namespace pandora_ha
