#include "reconciler/loop/leader.h"

#include <algorithm>
#include <utility>

#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

// Two managers that start together need two rounds; the last one sees what became of it.
constexpr int kMostRounds = 3;

bool AnyAnswers(const Observation& seen) {
  return std::any_of(seen.databases.begin(), seen.databases.end(),
                     [](const DatabaseSeen& node) { return node.state.known(); });
}

void Tell(const Status& done, const std::string& what, const NodeName& node) {
  if (done.ok()) return;
  Log(LogLevel::kWarning, what, {{"node", node.text}, {"error", done.error().message}});
}

}  // namespace

bool Leader::Take(const Leadership& wanted, const Hands& hands) {
  const Deadline deadline(hands.clock, hands.spec.database.detection.timeout);
  const auto run = [&](const NodeName& node, NodeRunner::Task task, const std::string& otherwise) {
    Tell(hands.nodes.at(node)->Run(std::move(task), deadline), otherwise, node);
  };
  for (const NodeName& node : wanted.evict) {
    Log(LogLevel::kWarning, "The session that held the manager's lock is ended.",
        {{"cluster", hands.spec.name}, {"node", node.text}});
    run(
        node, [](DatabaseNode& n, Deadline d) { return n.EvictHolder(d); },
        "The session that holds the manager's lock could not be ended; the next look tries again.");
  }
  for (const NodeName& node : wanted.take) {
    run(
        node, [](DatabaseNode& n, Deadline d) { return n.TakeLock(d); },
        "The manager's lock could not be taken; the next look tries again.");
  }
  bool claimed = false;
  for (const auto& [node, host] : hands.hosts) {
    if (!wanted.acts || !host->Process().known() || host->Claimed()) continue;
    claimed = true;
    Tell(host->Claim(deadline), "The server's process could not be claimed.", node);
  }
  return claimed || !wanted.evict.empty() || !wanted.take.empty();
}

bool Leader::Settle(const Observation& seen, TimePoint asked_at, const Hands& hands) {
  // A frozen manager's sessions break: after its thaw nobody may answer the first look although
  // another manager acts. Silence is no leave to act until it has lasted for a while.
  const Duration budget = hands.spec.database.detection.Budget();
  if (settled_at_ && seen.taken_at.mono - *settled_at_ > budget)
    in_doubt_until_ = seen.taken_at.mono + budget;
  Leadership now = Lead(hands.spec, seen, &free_since_);
  if (!AnyAnswers(seen) && seen.taken_at.mono < in_doubt_until_) now.acts = false;
  if (machine_.Held() && rounds_ < kMostRounds && Take(now, hands)) {
    ++rounds_;
    return false;
  }
  if (!acts_ || (settled_at_ && pulse_.MissedSince(*settled_at_))) acts_since_ = asked_at;
  rounds_ = 0;
  settled_at_ = hands.clock.Now().mono;
  asked_at_ = asked_at;
  acts_ = now.acts;
  holder_ = now.holder;
  return true;
}

}  // namespace pandora_ha
