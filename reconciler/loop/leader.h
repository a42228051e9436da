// Whether this manager acts, among all that look after the cluster.
#pragma once

#include <optional>
#include <string>

#include "reconciler/act/executor.h"
#include "reconciler/decide/leadership.h"
#include "reconciler/observe/observer.h"
#include "reconciler/port/lease.h"

namespace pandora_ha {

// The lease that the loop works with: the one of this machine (`machine`, which must outlive it)
// and the managers' lock of the nodes. Held() and Holder() tell the last Settle() and ask nobody:
// a manager that was frozen since is stopped by the servers and their owners, which refuse what a
// deposed manager orders. One thread at a time.
class Leader final : public Lease {
 public:
  explicit Leader(Lease& machine) : machine_(machine) {}

  bool Held() override { return acts_ && machine_.Held(); }
  // Empty: not known.
  std::string Holder() override { return machine_.Held() ? holder_ : machine_.Holder(); }

  // Settles who acts, from what was just seen; a manager that is to act takes the locks that it
  // lacks and claims the servers' processes, and then looks again, because it may have been frozen
  // in between. Gives what was seen last. Bounded by a few rounds, each of one detection timeout
  // and one look; without anything to take it costs nothing.
  Observation Settle(Observation seen, const Hands& hands, Observer& observer);

 private:
  // True when something was tried that makes another look worthwhile.
  bool Take(const Leadership& wanted, const Hands& hands);

  Lease& machine_;
  FreeSince free_since_;
  std::optional<TimePoint> settled_at_;
  TimePoint in_doubt_until_{};  // until then silence of every node is no leave to act
  bool acts_ = false;
  std::string holder_;
};

}  // namespace pandora_ha
