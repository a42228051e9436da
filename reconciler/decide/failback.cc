#include "reconciler/decide/failback.h"

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/switchover.h"

namespace pandora_ha {
namespace {

// A node that has just come back may go again; and a person has this long to say no.
constexpr Seconds kSettles{30};
constexpr Seconds kBetweenTries{600};
// The clients wait while the target catches up.
constexpr Seconds kMostLag{1};

// What has to come first, as a clause; empty: nothing.
std::string WaitsFor(const Context& c, const NodeName& preferred) {
  const Guards& guards = c.memory.guards;
  if (c.spec.suspend) return "spec.suspend is set";
  if (UnreadGuardsOf(c)) return "what people have asked for cannot be read";
  if (guards.paused || !guards.paused_nodes.empty() || !guards.fenced_nodes.empty())
    return "a person has paused or fenced something";
  if (guards.chosen) {
    return c.memory.primary->text + " was chosen by " + Why(*guards.chosen) +
           "; `pandora-ha switchover` goes back";
  }
  if (UnderWay(c.memory) != nullptr) return "another change of primary is under way";
  if (c.memory.failed_over_at) {
    const TimePoint until = *c.memory.failed_over_at + c.spec.failover_cool_down;
    if (c.now() < until)
      return "the last failover was " + FormatDuration(c.now() - *c.memory.failed_over_at) +
             " ago (`pandora-ha ack` ends the wait)";
  }
  if (c.now() < c.memory.failback_not_before)
    return "the last try was less than " + FormatDuration(kBetweenTries) + " ago";
  std::string obstacles;
  if (!SwitchoverTarget(c, preferred, &obstacles)) {
    if (obstacles.ends_with(".")) obstacles.pop_back();
    return obstacles;
  }
  const auto& lag = FindSeen(c.seen, preferred)->state->replication->lag;
  if (*lag > kMostLag) return preferred.text + " is " + FormatDuration(*lag) + " behind";
  const bool semi_sync = c.spec.database.replication.durability == DurabilityMode::kSemiSync;
  if (semi_sync && !MemoryOf(std::as_const(c.memory), preferred).lossless)
    return preferred.text + " does not acknowledge every row yet";
  return "";
}

void Ask(Context& c, const NodeName& preferred) {
  c.memory.failback_at.reset();
  c.memory.failback_not_before = c.now() + kBetweenTries;
  Intent intent;
  const auto at = c.seen.taken_at.wall;
  intent.id = "failback-" + std::to_string(at.time_since_epoch().count());
  intent.wish = Switchover{preferred, false};
  intent.by = "the document";
  intent.reason = "failback: whenCaughtUp";
  intent.asked_at = at;
  c.memory.intents.push_back(
      {intent, IntentState::kUnderWay, "", at, c.now() + intent.within, c.now(), 0});
}

}  // namespace

void DecideFailback(Context& c) {
  Memory& memory = c.memory;
  const auto order = PreferenceOrder(c.spec);
  if (c.spec.database.failback != Failback::kWhenCaughtUp || order.size() < 2 || !memory.primary ||
      memory.promotion || memory.primary == order.front() ||
      FindNode(c.spec, *memory.primary) == nullptr) {
    memory.failback_at.reset();
    return;
  }
  const NodeName& preferred = order.front();
  const std::string waits_for = WaitsFor(c, preferred);
  std::string says = preferred.text + " becomes primary again by itself";
  if (!waits_for.empty()) {
    memory.failback_at.reset();
    says += " (failback: whenCaughtUp), but not now: " + waits_for + ".";
  } else {
    if (!memory.failback_at) memory.failback_at = c.now() + kSettles;
    if (c.now() >= *memory.failback_at) return Ask(c, preferred);
    says += " in " + FormatDuration(*memory.failback_at - c.now()) +
            " (failback: whenCaughtUp), unless `pandora-ha pause` holds it.";
  }
  c.decision.findings.push_back(MakeFinding(FindingCode::kFailback, preferred, std::move(says)));
}

}  // namespace pandora_ha
