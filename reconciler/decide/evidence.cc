#include "reconciler/decide/evidence.h"

#include <algorithm>

namespace pandora_ha {
namespace {

// A replica of `node` that received something since `node` fell silent, or whose channel has not
// been silent for long enough to say so.
struct Receiving {
  NodeName replica;
  bool proven = false;    // something arrived after the silence began
  TimePoint silent_at{};  // when its channel counts as silent
};

std::optional<Receiving> ReceivingReplica(const ClusterSpec& spec, const Observation& seen,
                                          const Memory& memory, const NodeName& node,
                                          TimePoint silent_since) {
  const DatabaseNodeSpec* source = FindNode(spec, node);
  if (source == nullptr) return std::nullopt;
  for (const DatabaseSeen& other : seen.databases) {
    if (other.name == node || !other.state.known() || !other.state->replication) continue;
    const ReplicationSeen& channel = *other.state->replication;
    if (channel.io != ThreadState::kRunning || channel.source.host != source->address) continue;
    const TimePoint arrived = MemoryOf(memory, other.name).arrival_changed;
    const TimePoint silent_at = std::max(arrived, silent_since) + kChannelSilence;
    if (seen.taken_at.mono < silent_at)
      return Receiving{other.name, arrived > silent_since, silent_at};
  }
  return std::nullopt;
}

Evidence JudgeEndedProcess(const ClusterSpec& spec, const Observation& seen,
                           const ProcessState& process) {
  const std::string how = process.phase == ProcessState::Phase::kNeverStarted
                              ? "its server has not been started"
                              : "its process ended: " + process.how_ended;
  const TimePoint back_by = process.ended_at + spec.database.restart.allow;
  if (!process.restart_inhibited && seen.taken_at.mono < back_by) {
    return {Life::kRestarting, how + ", and it may be restarted in place", back_by};
  }
  return {Life::kDead, how, std::nullopt};
}

// Restarted in place and not answering yet: the allowance covers the whole way back.
TimePoint RestartedUntil(const ClusterSpec& spec, const DatabaseSeen& node) {
  const bool restarted = node.contact != Contact::kAnswered && node.process.known() &&
                         node.process->ended_at != TimePoint{};
  return restarted ? node.process->ended_at + spec.database.restart.allow : TimePoint{};
}

}  // namespace

Evidence Judge(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
               const NodeName& node) {
  const DatabaseSeen* database = FindSeen(seen, node);
  if (database == nullptr) return {Life::kGathering, "it has not been looked at", std::nullopt};
  // An ended process outranks an answer: the answer is the older of the two facts.
  if (database->process.known() && database->process->phase != ProcessState::Phase::kRunning) {
    return JudgeEndedProcess(spec, seen, *database->process);
  }
  const TimePoint back_by = RestartedUntil(spec, *database);
  if (seen.taken_at.mono < back_by)
    return {Life::kRestarting, "its process ended and is being restarted in place", back_by};
  switch (database->contact) {
    case Contact::kAnswered:
      return {Life::kAlive, "it answers", std::nullopt};
    case Contact::kDenied:
    case Contact::kTlsRefused:
    case Contact::kBusy:
      return {Life::kRefusesUs, "it refuses us: " + database->contact_error, std::nullopt};
    case Contact::kNeverTried:
    case Contact::kRefusedPort:
    case Contact::kHungUp:
    case Contact::kSilent:
    case Contact::kUnroutable:
      break;
  }
  const NodeMemory& remembered = MemoryOf(memory, node);
  const int needed = spec.database.detection.connect_retries + 1;
  const std::string looks = std::to_string(remembered.failed_looks) + " of " +
                            std::to_string(needed) + " looks without an answer (" +
                            std::string(ToString(database->contact)) + ")";
  if (remembered.failed_looks < needed) return {Life::kGathering, looks, std::nullopt};
  const TimePoint since = remembered.unanswered_since.value_or(seen.taken_at.mono);
  if (const auto receiving = ReceivingReplica(spec, seen, memory, node, since)) {
    if (receiving->proven) {
      return {Life::kStillReplicating, receiving->replica.text + " still receives from it",
              receiving->silent_at};
    }
    return {Life::kGathering,
            looks + "; the channel of " + receiving->replica.text + " is not silent yet",
            receiving->silent_at};
  }
  return {Life::kCutOff, looks + ", and no replica receives from it", std::nullopt};
}

}  // namespace pandora_ha
