#include "reconciler/decide/evidence.h"

#include <algorithm>

#include "reconciler/decide/election.h"

namespace pandora_ha {
namespace {

// A replica of `node` that received something since `node` fell silent, or whose channel has not
// been silent for long enough to say so.
struct Receiving {
  NodeName replica;
  bool proven = false;    // something arrived after the silence began
  TimePoint silent_at{};  // when its channel counts as silent
};

// Starting its channel to hear of the source is harmless.
bool MayBeAsked(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                const DatabaseSeen& replica) {
  return replica.contact == Contact::kAnswered && !replica.state->writable &&
         (!replica.state->replication || replica.state->replication->sql_errno == 0) &&
         MemoryOf(memory, replica.name).history == History::kContained &&
         !WhyUnfit(spec, seen, replica.name);
}

// What the replicas of `node` say about it.
struct Testimony {
  std::optional<Receiving> receiving;
  bool cut_off = false;             // a channel to it is connecting, broken or silent
  std::optional<NodeName> stopped;  // its channel was stopped without an error: it cannot say
};

Testimony AskReplicas(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                      const NodeName& node, TimePoint silent_since) {
  Testimony testimony;
  const DatabaseNodeSpec* source = FindNode(spec, node);
  if (source == nullptr) return testimony;
  for (const DatabaseSeen& other : seen.databases) {
    if (other.name == node || !other.state.known()) continue;
    if (!other.state->replication) {
      // A promotion that was taken back had made it follow nobody.
      if (memory.clients_cut_from == node && MayBeAsked(spec, seen, memory, other))
        testimony.stopped = other.name;
      continue;
    }
    const ReplicationSeen& channel = *other.state->replication;
    if (channel.source.host != source->address) continue;
    if (channel.io == ThreadState::kStopped && channel.io_errno == 0) {
      if (MayBeAsked(spec, seen, memory, other)) testimony.stopped = other.name;
      continue;
    }
    const TimePoint arrived = MemoryOf(memory, other.name).arrival_changed;
    const TimePoint silent_at = std::max(arrived, silent_since) + kChannelSilence;
    if (channel.io == ThreadState::kRunning && seen.taken_at.mono < silent_at) {
      testimony.receiving = Receiving{other.name, arrived > silent_since, silent_at};
      return testimony;
    }
    testimony.cut_off = true;
  }
  return testimony;
}

Evidence JudgeEndedProcess(const ClusterSpec& spec, const Observation& seen,
                           const ProcessState& process) {
  const std::string how = process.phase == ProcessState::Phase::kNeverStarted
                              ? "its server has not been started"
                              : "its process ended: " + process.how_ended +
                                    (process.fenced ? ", by a manager's fence" : "");
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

bool MustBeReplaced(Life life) {
  return life == Life::kDead || life == Life::kCutOff || life == Life::kStalled;
}

// Asked after many times within a timeout: what is older says nothing of now.
Duration StalledFor(const ClusterSpec& spec, const Observation& seen, const DatabaseSeen& node) {
  const auto& write = node.stalled_write;
  if (!write || seen.taken_at.mono - write->seen_at > 2 * spec.database.detection.timeout)
    return Duration::zero();
  return write->seen_at - write->since;
}

bool ShowsLife(Contact contact) {
  switch (contact) {
    case Contact::kAnswered:
    case Contact::kDenied:
    case Contact::kTlsRefused:
    case Contact::kBusy:
      return true;
    case Contact::kNeverTried:
    case Contact::kRefusedPort:
    case Contact::kHungUp:
    case Contact::kSilent:
    case Contact::kUnroutable:
      break;
  }
  return false;
}

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
  // Outranks silence, too: a look that opens a file hangs with the disk, and replicas go on hearing
  // from such a server.
  const DetectionSpec& detection = spec.database.detection;
  const int needed = detection.connect_retries + 1;
  const Duration stalled = StalledFor(spec, seen, *database);
  if (memory.primary == node && stalled > Duration::zero() &&
      stalled >= needed * detection.timeout) {
    return {Life::kStalled,
            "a write of ours has stood in \"" + database->stalled_write->doing + "\" for " +
                FormatDuration(stalled) + ", and nothing has reached its disk since",
            std::nullopt};
  }
  if (database->contact == Contact::kAnswered) return {Life::kAlive, "it answers", std::nullopt};
  if (ShowsLife(database->contact))
    return {Life::kRefusesUs, "it refuses us: " + database->contact_error, std::nullopt};
  const NodeMemory& remembered = MemoryOf(memory, node);
  const std::string contact(ToString(database->contact));
  const std::string count = std::to_string(remembered.failed_looks);
  const std::string looks =
      remembered.failed_looks < needed
          ? count + " of " + std::to_string(needed) + " looks without an answer (" + contact + ")"
          : count + " looks without an answer (" + std::to_string(needed) + " needed; " + contact +
                ")";
  if (remembered.failed_looks < needed) return {Life::kGathering, looks, std::nullopt};
  const TimePoint since = remembered.unanswered_since.value_or(seen.taken_at.mono);
  // Nobody replicates from a replica, and during a promotion the channels were stopped by us.
  if (memory.primary != node || memory.promotion) return {Life::kCutOff, looks, std::nullopt};
  const Testimony testimony = AskReplicas(spec, seen, memory, node, since);
  if (const auto& receiving = testimony.receiving) {
    if (receiving->proven) {
      return {Life::kStillReplicating, receiving->replica.text + " still receives from it",
              receiving->silent_at};
    }
    return {Life::kGathering,
            looks + "; the channel of " + receiving->replica.text + " is not silent yet",
            receiving->silent_at};
  }
  if (testimony.cut_off)
    return {Life::kCutOff, looks + ", and no replica hears from it", std::nullopt};
  if (testimony.stopped) {
    return {Life::kGathering,
            looks + "; replication of " + testimony.stopped->text +
                " was stopped, and is started to hear of it",
            std::nullopt, testimony.stopped};
  }
  return {Life::kCutOff, looks + ", and no replica can be asked", std::nullopt};
}

}  // namespace pandora_ha
