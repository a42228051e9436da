// Whether this manager acts, among all that look after the cluster.
#pragma once

#include <string>

#include "reconciler/act/executor.h"
#include "reconciler/decide/leadership.h"
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

  // Settles who acts, from what was just seen. False: a manager that is to act has taken locks that
  // it lacked or claimed servers' processes, within one detection timeout, and must look again
  // before this is settled, because it may have been frozen in between. After a few rounds it is
  // settled in any case.
  bool Settle(const Observation& seen, const Hands& hands);

 private:
  // True when something was tried that makes another look worthwhile.
  bool Take(const Leadership& wanted, const Hands& hands);

  Lease& machine_;
  FreeSince free_since_;
  int rounds_ = 0;
  bool acts_ = false;
  std::string holder_;
};

}  // namespace pandora_ha
