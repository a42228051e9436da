#include "reconciler/decide/leadership.h"

namespace pandora_ha {
namespace {

using Holder = ManagerLockSeen::Holder;

std::string Name(const ManagerLockSeen& lock) {
  return lock.who.empty() ? "connection " + std::to_string(lock.connection) : lock.who;
}

bool Ours(Holder holder) {
  return holder == Holder::kOurs || holder == Holder::kOursBefore;
}

}  // namespace

Leadership Lead(const ClusterSpec& spec, const Observation& seen, FreeSince* free_since) {
  Leadership result;
  const DatabaseSeen* decides = nullptr;  // the first node whose lock is held
  std::vector<NodeName> free, others;
  bool any_ours = false, any_answers = false;
  for (const DatabaseSeen& node : seen.databases) {
    if (!node.state.known()) continue;
    any_answers = true;
    const ManagerLockSeen& lock = node.state->manager_lock;
    switch (lock.holder) {
      case Holder::kNotAsked:
        result.acts = true;
        return result;
      case Holder::kNobody:
        free.push_back(node.name);
        continue;
      case Holder::kOurs:
        any_ours = true;
        break;
      case Holder::kOursBefore:
        result.evict.push_back(node.name);
        break;
      case Holder::kOther:
        others.push_back(node.name);
        break;
    }
    if (decides == nullptr) decides = &node;
  }
  if (decides != nullptr && !Ours(decides->state->manager_lock.holder)) {
    result.holder = Name(decides->state->manager_lock) + " holds the lock of " + decides->name.text;
    FreeSince still_free;
    for (const NodeName& node : free) {
      const auto known = free_since->find(node);
      const TimePoint since = known == free_since->end() ? seen.taken_at.mono : known->second;
      still_free[node] = since;
      if (seen.taken_at.mono - since >= spec.lease.duration) result.take.push_back(node);
    }
    *free_since = std::move(still_free);
    return result;
  }
  free_since->clear();
  result.acts = any_ours || !any_answers;
  result.take = std::move(free);
  if (decides != nullptr) result.evict.insert(result.evict.end(), others.begin(), others.end());
  return result;
}

std::vector<Unlocked> UnlockedNodes(const Observation& seen,
                                    const std::optional<NodeName>& except) {
  std::vector<Unlocked> unlocked;
  bool asked = false;
  for (const DatabaseSeen& node : seen.databases) {
    asked = asked || (node.state.known() && node.state->manager_lock.holder != Holder::kNotAsked);
    const bool ended = node.process.known() &&
                       node.process->phase != ProcessState::Phase::kRunning &&
                       node.process->restart_inhibited;
    if (ended) continue;
    if (!node.state.known()) {
      if (node.name == except) continue;
      unlocked.push_back({node.name, node.contact_error.empty()
                                         ? std::string(ToString(node.contact))
                                         : node.contact_error});
      continue;
    }
    const ManagerLockSeen& lock = node.state->manager_lock;
    if (lock.holder == Holder::kOurs || lock.holder == Holder::kNotAsked) continue;
    unlocked.push_back({node.name, lock.holder == Holder::kOther ? Name(lock) + " has it"
                                   : lock.holder == Holder::kNobody
                                       ? "nobody has it yet"
                                       : "a lost session of this manager has it"});
  }
  return asked ? unlocked : std::vector<Unlocked>();
}

}  // namespace pandora_ha
