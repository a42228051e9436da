#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "reconciler/app/render.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

const json& Member(const json& object, const char* key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

// " by ana since 2026-11-22 17:03:01.250, until …: new disk"
std::string Held(const json& guard) {
  std::string out = " by " + TextOf(guard, "by") + " since " + ShortTime(TextOf(guard, "since"));
  const std::string until = TextOf(guard, "until");
  out += until.empty() ? "" : ", until " + ShortTime(until);
  const std::string reason = TextOf(guard, "reason");
  return out + (reason.empty() ? "" : ": " + reason);
}

// What ends a guard is told with it.
std::string Guards(const json& document) {
  std::string out;
  if (const json& paused = Member(document, "paused"); paused.is_object())
    out += "  the cluster is paused" + Held(paused) + " (`pandora-ha resume` ends it)\n";
  const json& nodes = Member(document, "nodes");
  if (!nodes.is_array()) return out;
  for (const json& node : nodes) {
    const std::string name = TextOf(node, "name");
    if (const json& paused = Member(node, "paused"); paused.is_object())
      out += "  " + name + " is paused" + Held(paused) + " (`pandora-ha resume " + name +
             "` ends it)\n";
    if (const json& fenced = Member(node, "fenced"); fenced.is_object())
      out += "  " + name + " is fenced" + Held(fenced) + " (`pandora-ha unfence " + name +
             "` ends it)\n";
  }
  return out;
}

constexpr std::size_t kClosedShown = 5;

// Those that are open, and the last of the others.
std::string Intents(const json& document, const Style& style) {
  const json& intents = Member(document, "intents");
  if (!intents.is_array()) return "";
  const auto open = [](const json& intent) { return TextOf(intent, "state") == "underWay"; };
  const auto closed =
      static_cast<std::size_t>(std::count_if(intents.begin(), intents.end(), std::not_fn(open)));
  std::size_t hidden = closed - std::min(closed, kClosedShown);
  std::string out;
  if (hidden > 0)
    out = "  " + std::to_string(hidden) + " earlier " + (hidden == 1 ? "one" : "ones") +
          " (`-o json` shows all)\n";
  for (const json& intent : intents) {
    if (open(intent) || hidden == 0) {
      out += "  " + RenderIntent(intent, style);
    } else {
      --hidden;
    }
  }
  return out;
}

Colour ColourOf(const std::string& state) {
  if (state == "done") return Colour::kGood;
  const bool warns = state == "refused" || state == "takenBack" || state == "superseded";
  return warns ? Colour::kWarning : Colour::kNone;
}

}  // namespace

std::string RenderIntent(const json& record, const Style& style) {
  const std::string state = TextOf(record, "state");
  std::string what = TextOf(record, "kind");
  for (const char* key : {"to", "node"}) {
    const std::string node = TextOf(record, key);
    if (!node.empty()) what += (*key == 't' ? " to " : " ") + node;
  }
  std::string out = what + ": " + style(ColourOf(state), state == "underWay" ? "under way" : state);
  const std::string until = TextOf(record, "giveUpAt");
  if (!until.empty()) out += ", until " + ShortTime(until) + " at the latest";
  out += "; asked by " + TextOf(record, "by") + " at " + ShortTime(TextOf(record, "askedAt"));
  const std::string reason = TextOf(record, "reason");
  if (!reason.empty()) out += ": " + reason;
  const std::string says = TextOf(record, "says");
  return out + (says.empty() ? "\n" : "\n    " + says + "\n");
}

std::string RenderWishes(const json& document, const Style& style) {
  std::string out = Guards(document) + Intents(document, style);
  if (!out.empty()) out = style(Colour::kHeading, "What people asked for") + "\n" + out;
  const std::string failed_over = TextOf(document, "notAcknowledged");
  if (failed_over.empty()) return out;
  if (!out.empty()) out += "\n";
  out += style(Colour::kHeading, "What waits for a person") + "\n  the failover of " +
         ShortTime(failed_over) + " is not acknowledged yet";
  const std::string until = TextOf(document, "coolDownUntil");
  if (!until.empty())
    out +=
        ": until " + ShortTime(until) + " a primary that is only silent is not replaced by itself";
  return out + "; `pandora-ha ack` says that a person has seen it\n";
}

}  // namespace pandora_ha
