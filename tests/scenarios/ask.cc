// What a person asks for, in a scenario's words.
#include "tests/scenarios/script.h"
#include "tests/scenarios/words.h"

namespace pandora_ha::scenarios {
namespace {

std::optional<NodeName> NodeAmong(const Words& words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] != "to" && words[i].find('=') == std::string::npos) return NodeName(words[i]);
  }
  return std::nullopt;
}

NodeName NeedNode(const Words& words) {
  const auto node = NodeAmong(words);
  if (!node) Complain("which node?");
  return *node;
}

}  // namespace

// ask switchover [to node2] [within=20s] [endTransactions=yes]
void Script::Ask(const Words& words) {
  Intent intent;
  intent.id = "intent-" + std::to_string(++asked_);
  intent.by = "ana";
  intent.asked_at = world_.wall();
  Switchover switchover{NodeAmong(words), false};
  ForcedFailover failover{NodeAmong(words), false};
  Pause pause{NodeAmong(words), std::nullopt};
  bool even_primary = false, set_aside = false;
  for (const std::string& word : words) {
    const auto [key, value] = KeyValue(word);
    if (key == "within") intent.within = WholeSeconds(value);
    if (key == "because") intent.reason = value;
    if (key == "for") pause.lasts = WholeSeconds(value);
    if (key == "endTransactions") switchover.end_transactions = YesNo(value);
    if (key == "allowDataLoss") failover.allow_data_loss = YesNo(value);
    if (key == "evenPrimary") even_primary = YesNo(value);
    if (key == "setAside") set_aside = YesNo(value);
  }
  const std::string& kind = words.at(0);
  if (kind == "switchover") {
    intent.wish = switchover;
  } else if (kind == "failover") {
    intent.wish = failover;
  } else if (kind == "pause") {
    intent.wish = pause;
  } else if (kind == "resume") {
    intent.wish = Resume{NodeAmong(words)};
  } else if (kind == "fence") {
    intent.wish = Fence{NeedNode(words), even_primary};
  } else if (kind == "unfence") {
    intent.wish = Unfence{NeedNode(words)};
  } else if (kind == "resync") {
    intent.wish = Resync{NeedNode(words), set_aside};
  } else if (kind == "ack") {
    intent.wish = Acknowledge{};
  } else {
    Complain("nobody can ask for a \"" + kind + "\"");
  }
  world_.intents.push_back(std::move(intent));
}

}  // namespace pandora_ha::scenarios
