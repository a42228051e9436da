// Whether this manager acts, among all that look after the cluster.
#pragma once

#include <optional>
#include <string>

#include "reconciler/act/executor.h"
#include "reconciler/decide/leadership.h"
#include "reconciler/loop/pulse.h"
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
  // Observation::acts_since, for one that acts.
  TimePoint acts_since() const { return acts_since_; }

  // Settles who acts, from what was just seen by the look that began at `asked_at`. False: a
  // manager that is to act has taken locks that it lacked or claimed servers' processes, within one
  // detection timeout, and must look again before this is settled, because it may have been frozen
  // in between. After a few rounds it is settled in any case. Without anything to take it costs
  // nothing.
  bool Settle(const Observation& seen, TimePoint asked_at, const Hands& hands);

 private:
  // True when something was tried that makes another look worthwhile.
  bool Take(const Leadership& wanted, const Hands& hands);

  Lease& machine_;
  Pulse& pulse_;
  FreeSince free_since_;
  std::optional<TimePoint> settled_at_;
  TimePoint asked_at_{};        // when the look began that it was settled from
  TimePoint in_doubt_until_{};  // until then silence of every node is no leave to act
  int rounds_ = 0;
  bool acts_ = false;
  TimePoint acts_since_{};
  std::string holder_;
};

}  // namespace pandora_ha
