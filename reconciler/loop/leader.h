// Whether this manager acts, among all that look after the cluster.
#pragma once

#include <optional>
#include <string>

#include "reconciler/act/executor.h"
#include "reconciler/decide/leadership.h"
#include "reconciler/loop/pulse.h"
#include "reconciler/observe/observer.h"
#include "reconciler/port/lease.h"

namespace pandora_ha {

// The lease that the loop works with: the one of this machine (`machine`, which must outlive it, as
// must `pulse`) and the managers' lock of the nodes. Held() and Holder() tell the last Settle() and
// ask nobody. A manager that was frozen since does not act before it has settled anew; where it
// does not notice itself, the servers and their owners refuse what a deposed manager orders. One
// thread at a time.
class Leader final : public Lease {
 public:
  Leader(Lease& machine, Pulse& pulse) : machine_(machine), pulse_(pulse) {}

  bool Held() override { return acts_ && machine_.Held() && !pulse_.MissedSince(asked_at_); }
  // Empty: not known.
  std::string Holder() override { return machine_.Held() ? holder_ : machine_.Holder(); }

  // Looks, and settles who acts; a manager that is to act takes the locks that it lacks and claims
  // the servers' processes, and then looks again, because it may have been frozen in between. Gives
  // what was seen last, with `acts_since`. Bounded by a few rounds, each of one detection timeout
  // and one look; without anything to take it costs nothing.
  Observation Settle(const Hands& hands, Observer& observer);

 private:
  // True when something was tried that makes another look worthwhile.
  bool Take(const Leadership& wanted, const Hands& hands);

  Lease& machine_;
  Pulse& pulse_;
  FreeSince free_since_;
  std::optional<TimePoint> settled_at_;
  TimePoint asked_at_{};        // when the look began that it was settled from
  TimePoint in_doubt_until_{};  // until then silence of every node is no leave to act
  bool acts_ = false;
  TimePoint acts_since_{};
  std::string holder_;
};

}  // namespace pandora_ha
