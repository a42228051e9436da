// One look at everything that is declared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/observation.h"
#include "reconciler/observe/node_worker.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

// A look asks every server at once and is over when all have answered, or the timeout has passed. A
// server that did not answer last time is given a few milliseconds beside the others and is
// otherwise reported as it was: waiting for it again would only delay what must be done for the
// rest. One thread at a time. `workers` and `publisher` must outlive the observer.
class Observer {
 public:
  Observer(std::vector<NodeWorker*> workers, const Publisher& publisher, const Clock& clock,
           Duration timeout);

  // Asks. `over` is called, from a worker's thread, when Left() is worth asking again: when the
  // last of those that are waited for has answered, perhaps within this call. It must not block.
  void Begin(std::function<void()> over = {});
  // How long the look may last from now on when nobody answers; zero: it is over.
  Duration Left();
  // Ends the look with what there is. Does not wait.
  Observation Take();

  // All of it at once.
  Observation Look();
  // Until the look is over.
  void Wait();

  // Other servers, or another timeout, from the next look on. REQUIRES: no look has begun.
  void Change(std::vector<NodeWorker*> workers, Duration timeout);

 private:
  std::vector<NodeWorker*> workers_;
  const Publisher& publisher_;
  const Clock& clock_;
  Duration timeout_;
  std::uint64_t looks_ = 0;
  // Of the look that has begun.
  std::vector<NodeWorker*> trusted_, doubtful_;
  std::optional<Deadline> deadline_, grace_;
};

}  // namespace pandora_ha
