// Which of several managers acts: from who holds the managers' lock of each node.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

struct Leadership {
  bool acts = false;
  // What this manager should do next, in declared order: take a lock that is free; end the session
  // that has it (of a manager that lost, or a lost one of its own), and take it. Then look again.
  std::vector<NodeName> take, evict;
  // Who acts instead, as a part of a sentence; empty: nobody, or this manager.
  std::string holder;
};

// Since when a node's lock has been free while another manager held one.
using FreeSince = std::map<NodeName, TimePoint>;

// Of the nodes that answer, the first in declared order whose lock anybody holds tells who acts; a
// free lock tells nothing, so that a server's restart deposes nobody. Its holder takes the free
// ones and evicts everybody else; the others observe. No lock is held: whoever takes the first one
// acts. No node answers: every manager acts, which can only start servers, twice at worst.
//
// A lock that stays free for spec.lease.duration although somebody else acts is taken: that manager
// does not reach the node. Two managers that reach different nodes then agree on one as soon as one
// of them reaches all that the other does.
//
// Where no lock is asked for (kNotAsked) this manager acts.
Leadership Lead(const ClusterSpec& spec, const Observation& seen, FreeSince* free_since);

struct Unlocked {
  NodeName name;
  std::string why;  // "no answer", "admin@10.0.0.3:4711 has it"
};
// The nodes on which another manager may act: without our lock and not proven ended, in declared
// order. `except`, the primary that is replaced, counts only while it answers: else its fence is
// judged by itself. Empty where no lock is asked for.
std::vector<Unlocked> UnlockedNodes(const Observation& seen, const std::optional<NodeName>& except);

}  // namespace pandora_ha
