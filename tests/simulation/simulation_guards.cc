// What was promised to who asked for a guard.
#include <algorithm>

#include "reconciler/decide/guards.h"
#include "tests/simulation/one_run.h"

namespace pandora_ha::simulation {

bool Simulation::CouldKnow(const Manager& m, const Observation& seen, const Confirmed& guard) {
  return m.index == guard.manager ||
         std::any_of(guard.held_by.begin(), guard.held_by.end(), [&](int node) {
           return seen.databases[static_cast<std::size_t>(node)].state.known();
         });
}

bool Simulation::TakesAway(const Wish& later, const Wish& guard) {
  if (const auto* pause = std::get_if<Pause>(&guard)) {
    const auto* resume = std::get_if<Resume>(&later);
    const auto* dated = std::get_if<Pause>(&later);
    return (resume != nullptr && resume->node == pause->node) ||
           (dated != nullptr && dated->lasts && dated->node == pause->node);
  }
  const auto* fence = std::get_if<Fence>(&guard);
  const auto* unfence = std::get_if<Unfence>(&later);
  return fence != nullptr && unfence != nullptr && fence->node == unfence->node;
}

bool Simulation::Lasts(const Manager& m, const IntentRecord& record) {
  const Wish& wish = record.intent.wish;
  const auto* pause = std::get_if<Pause>(&wish);
  if (pause != nullptr ? pause->lasts.has_value() : !std::holds_alternative<Fence>(wish))
    return false;
  return std::none_of(
      &record, m.stored.intents.data() + m.stored.intents.size(), [&](const IntentRecord& later) {
        return later.state != IntentState::kRefused && TakesAway(later.intent.wish, wish);
      });
}

void Simulation::Confirm(const Manager& m, const Observation& seen, const Decision& decision) {
  std::erase_if(confirmed_, [&](const auto& entry) {
    if (CouldKnow(m, seen, entry.second)) return false;
    ++outcome_.statistics.intents["unknowable-" + std::string(KindOf(entry.second.wish))];
    return true;
  });
  for (const IntentRecord& record : m.stored.intents) {
    const Wish& wish = record.intent.wish;
    if (record.state != IntentState::kRefused) Lift(record);
    const bool done = record.state == IntentState::kDone && record.at == seen.taken_at.wall;
    if (!done || !Lasts(m, record)) continue;
    if (!AreShared(world_.spec(), seen, decision.memory)) continue;
    Confirmed confirmed{wish, {}, m.index};
    for (const DatabaseSeen& node : seen.databases) {
      if (node.state.known() && node.state->guards &&
          node.state->guards->version >= decision.memory.guards_seen)
        confirmed.held_by.push_back(world_.IndexOf(node.name));
    }
    confirmed_[record.intent.id] = confirmed;
    ++outcome_.statistics.intents["confirmed-" + std::string(KindOf(wish))];
  }
}

void Simulation::Lift(const IntentRecord& by) {
  if (!lifted_.insert(by.intent.id).second) return;
  std::erase_if(confirmed_,
                [&](const auto& entry) { return TakesAway(by.intent.wish, entry.second.wish); });
}

void Simulation::CheckGuards(const Step& step) {
  for (const auto& [id, guard] : confirmed_) {
    const NodeName target = TargetOf(step.action);
    if (const auto* pause = std::get_if<Pause>(&guard.wish)) {
      if (!pause->node || pause->node == target)
        Break(9,
              "\"" + Describe(step.action) + "\" while " + Describe(guard.wish) + " is in force");
    } else if (const auto* fence = std::get_if<Fence>(&guard.wish)) {
      const bool starts = std::holds_alternative<StartServer>(step.action) ||
                          std::holds_alternative<OpenWritable>(step.action);
      if (starts && fence->node == target)
        Break(9, "\"" + Describe(step.action) + "\" although it is fenced");
    }
  }
}

}  // namespace pandora_ha::simulation
