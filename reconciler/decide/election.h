// Chooses which node becomes primary.
//
// Pure: the answer depends on the arguments only. Unknown facts never make a candidate better. Ties
// follow the preference order, so equal inputs give equal answers on every machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

struct Election {
  std::optional<NodeName> winner;          // empty: nobody may be promoted
  std::vector<CandidateVerdict> verdicts;  // one per candidate, the preferred first
  std::optional<BlockReason> blocked;      // why nobody; set exactly when winner is empty
  std::string says;                        // the whole sentence for it
  // Transactions of the old primary that the winner is not known to hold. None: no old primary.
  // Exact only when `lossless`; otherwise an estimate from the last look at the old primary.
  std::optional<std::uint64_t> possibly_lost;
  // An unseen node that is remembered to have received what the winner lacks.
  std::optional<NodeName> unseen_holder;
  bool lossless = false;
};

// Elects among all nodes but `old_primary`. The winner holds everything that any other answering
// candidate has received (else AmbiguousCandidates).
Election Elect(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
               const std::optional<NodeName>& old_primary);

// Everything the node holds: executed, or waiting in its relay log.
GtidSet HeldBy(const DatabaseState& state);

// Why the node's server, as it answers, cannot be a primary or a replica of this cluster.
struct Unfit {
  FindingCode code;
  std::string why;     // a clause with the remedy
  bool clash = false;  // with another node: one of the two is wrong
};

// None: it is fit, or it has not answered.
std::optional<Unfit> WhyUnfit(const ClusterSpec& spec, const Observation& seen,
                              const NodeName& node);

}  // namespace pandora_ha
