#include "reconciler/observe/observer.h"

namespace pandora_ha {
namespace {

// Enough for a refused connection or a local answer, and nothing beside a failover.
constexpr Duration kGrace = Milliseconds(3);

// A worker's question ends by itself after the same timeout; this lets it say so.
constexpr Duration kLastWord = Milliseconds(20);

}  // namespace

Observer::Observer(std::vector<NodeWorker*> workers, const Publisher& publisher, const Clock& clock,
                   Duration timeout)
    : workers_(std::move(workers)), publisher_(publisher), clock_(clock), timeout_(timeout) {}

Observation Observer::Look() {
  const Deadline deadline(clock_, timeout_ + kLastWord);
  std::vector<NodeWorker*> doubtful;
  for (NodeWorker* worker : workers_) worker->RequestLook();
  for (NodeWorker* worker : workers_) {
    if (worker->unanswered()) {
      doubtful.push_back(worker);
    } else {
      worker->WaitForLook(deadline);
    }
  }
  const Deadline grace = deadline.Within(kGrace);
  for (NodeWorker* worker : doubtful) worker->WaitForLook(grace);
  Observation seen;
  seen.id = ++looks_;
  for (const NodeWorker* worker : workers_) seen.databases.push_back(worker->Seen());
  seen.publication = publisher_.Current();
  seen.taken_at = clock_.Now();
  return seen;
}

}  // namespace pandora_ha
