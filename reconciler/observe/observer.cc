#include "reconciler/observe/observer.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace pandora_ha {
namespace {

// Enough for a refused connection or a local answer, and nothing beside a failover.
constexpr Duration kGrace = Milliseconds(3);

// A worker's question ends by itself after the same timeout; this lets it say so.
constexpr Duration kLastWord = Milliseconds(20);

bool AnyLooks(const std::vector<NodeWorker*>& workers) {
  return std::any_of(workers.begin(), workers.end(),
                     [](const NodeWorker* worker) { return worker->Looking(); });
}

}  // namespace

Observer::Observer(std::vector<NodeWorker*> workers, const Publisher& publisher, const Clock& clock,
                   Duration timeout)
    : workers_(std::move(workers)), publisher_(publisher), clock_(clock), timeout_(timeout) {}

void Observer::Change(std::vector<NodeWorker*> workers, Duration timeout) {
  workers_ = std::move(workers);
  timeout_ = timeout;
}

void Observer::Begin(std::function<void()> over) {
  deadline_.emplace(clock_, timeout_ + kLastWord);
  grace_.reset();
  trusted_.clear();
  doubtful_.clear();
  for (NodeWorker* worker : workers_)
    (worker->unanswered() ? doubtful_ : trusted_).push_back(worker);
  if (!over) {
    for (NodeWorker* worker : workers_) worker->RequestLook();
    return;
  }
  // Told once for all that are waited for; then the others have a moment, and each is told.
  const auto awaited = std::make_shared<std::atomic<std::size_t>>(trusted_.size());
  for (NodeWorker* worker : trusted_) {
    worker->RequestLook([awaited, over] {
      if (--*awaited == 0) over();
    });
  }
  for (NodeWorker* worker : doubtful_) {
    worker->RequestLook([awaited, over] {
      if (*awaited == 0) over();
    });
  }
}

Duration Observer::Left() {
  if (AnyLooks(trusted_) && !deadline_->passed()) return deadline_->left();
  if (!grace_) grace_ = deadline_->Within(kGrace);
  return AnyLooks(doubtful_) ? grace_->left() : Duration::zero();
}

void Observer::Wait() {
  for (NodeWorker* worker : trusted_) worker->WaitForLook(*deadline_);
  if (!grace_) grace_ = deadline_->Within(kGrace);
  for (NodeWorker* worker : doubtful_) worker->WaitForLook(*grace_);
}

Observation Observer::Take() {
  Observation seen;
  seen.id = ++looks_;
  for (NodeWorker* worker : workers_) {
    worker->GiveUpLook();
    seen.databases.push_back(worker->Seen());
  }
  seen.publication = publisher_.Current();
  seen.taken_at = clock_.Now();
  return seen;
}

Observation Observer::Look() {
  Begin();
  Wait();
  return Take();
}

}  // namespace pandora_ha
