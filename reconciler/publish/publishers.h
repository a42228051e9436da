// Several publishers as one.
#pragma once

#include <utility>
#include <vector>

#include "reconciler/port/publisher.h"

namespace pandora_ha {

// Tells each of `parts`, in their order (the writer endpoint first: it is the fastest and the only
// one that cuts), and all of them even when one fails; the errors are joined under the first one's
// code. Current() is the worst of all: a primary only when all name the same one, the lowest epoch,
// every problem. Thread-safe as far as the parts are. The parts must outlive it.
class Publishers final : public Publisher {
 public:
  explicit Publishers(std::vector<Publisher*> parts) : parts_(std::move(parts)) {}
  // Other parts from now on. REQUIRES: no call is under way.
  void Change(std::vector<Publisher*> parts) { parts_ = std::move(parts); }

  Status Publish(const PublishedPrimary& primary) override;
  // One after the other within the same deadline.
  Status Drain(Duration grace, Deadline deadline) override;
  Status Withdraw() override;
  Status Renew(Epoch epoch, TimePoint known_at) override;
  PublicationSeen Current() const override;

 private:
  std::vector<Publisher*> parts_;
};

}  // namespace pandora_ha
