// What is known about the life of one node: the two tiers of evidence.
//
// Proven (the owner of the process saw it end) permits acting at once. Everything else is unknown:
// a broken socket, a refused port and silence only make us look again, ask the replicas whether
// they still receive, and then leave it to the policy.
#pragma once

#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

enum class Life {
  kAlive,             // answered a query in this look
  kRefusesUs,         // something answers there, but not to us: no evidence of a failure
  kRestarting,        // its process ended and may still come back in place
  kGathering,         // no answer; the declared looks are not over
  kStillReplicating,  // no answer to us, but a replica still receives from it
  kStalled,           // answers, and nothing has reached its disk for as long as all looks take
  kCutOff,            // no answer to all declared looks, and no replica receives; it may still live
  kDead,              // its process ended and nobody will start it
};

struct Evidence {
  Life life = Life::kGathering;
  std::string because;             // a clause: "its process was killed by signal 9"
  std::optional<TimePoint> until;  // when the verdict changes by itself
  std::optional<NodeName> ask{};   // a replica whose channel to it is stopped: start it first
};

// Two heartbeats of a replica's source (0.5 s each) and a little: a channel that says "running" and
// brought nothing for so long is silent.
inline constexpr Duration kChannelSilence = Milliseconds(1200);

// How long nothing has reached the disk of this node while a write of ours stands there, by an
// answer that is not old; zero: nothing stands.
Duration StalledFor(const ClusterSpec& spec, const Observation& seen, const DatabaseSeen& node);

// As far as it is the primary, and all else permits.
bool MustBeReplaced(Life life);

// It answered, or refused us: either way something lives there.
bool ShowsLife(Contact contact);

// `memory` already counts the present look (see Remember).
Evidence Judge(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
               const NodeName& node);

}  // namespace pandora_ha
