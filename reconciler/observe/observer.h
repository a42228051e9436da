// One look at everything that is declared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/observation.h"
#include "reconciler/observe/node_worker.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

// One thread at a time. `workers` and `publisher` must outlive the observer.
class Observer {
 public:
  Observer(std::vector<NodeWorker*> workers, const Publisher& publisher, const Clock& clock,
           Duration timeout);

  // Asks every server at once and returns when all have answered, or the timeout has passed. A
  // server that did not answer last time is given a few milliseconds beside the others and is
  // otherwise reported as it was: waiting for it again would only delay what must be done for the
  // rest.
  Observation Look();

 private:
  const std::vector<NodeWorker*> workers_;
  const Publisher& publisher_;
  const Clock& clock_;
  const Duration timeout_;
  std::uint64_t looks_ = 0;
};

}  // namespace pandora_ha
