// Telling clients where the primary is.
#pragma once

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/observation.h"

namespace pandora_ha {

// What is told.
struct PublishedPrimary {
  NodeName node;
  Address address;
  Epoch epoch;

  bool operator==(const PublishedPrimary&) const = default;
};

// Thread-safe.
class Publisher {
 public:
  virtual ~Publisher() = default;
  // From now on clients are sent to this primary; those of another one are cut. An epoch lower than
  // one that was published before is refused (kConflict).
  virtual Status Publish(const PublishedPrimary& primary) = 0;
  // The friendly way before Withdraw(), for a primary that works: new clients wait from now on, the
  // present ones go on for `grace`, and then each is ended where it stands between two statements.
  // Returns when no client is left. kTimeout: some were left at `deadline`, and go on until they
  // can be ended or Withdraw() cuts them. Publish() of any primary ends it: of the same one, its
  // clients go on as if nothing had been. What sends clients nowhere by itself has nothing to do.
  virtual Status Drain(Duration grace, Deadline deadline) = 0;
  // Clients are cut and new ones wait.
  virtual Status Withdraw() = 0;
  // The primary of this epoch, as it was published, was still the right one at `known_at`: where a
  // publication is believed for a lease only, it is believed from then on for another one. A caller
  // that was frozen in between thus prolongs nothing. kConflict: another epoch is published.
  virtual Status Renew(Epoch epoch, TimePoint known_at) = 0;
  virtual PublicationSeen Current() const = 0;
};

}  // namespace pandora_ha
