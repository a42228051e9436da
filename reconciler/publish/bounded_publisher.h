// A publisher whose medium may hang: a shared directory whose file server is gone blocks every call
// into it, for ever and where no signal reaches. The loop that decides must not wait there.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

// Each call runs on a thread of its own and is waited for at most `within` (Drain: until its own
// deadline and then that long). kTimeout: it has not come back. Until it does, every further call
// fails at once with kTimeout, and Current() is what was last seen, with the problem; so a hanging
// medium costs its caller one wait and no more. A call that was given up is not undone: what it
// does when the medium answers again is the inner publisher's to judge.
//
// Thread-safe. A hanging thread keeps the inner publisher, and may outlive this object.
class BoundedPublisher final : public Publisher {
 public:
  // `what` names the medium in messages. `clock` must outlive it.
  BoundedPublisher(std::shared_ptr<Publisher> inner, std::string what, Duration within,
                   const Clock& clock);

  Status Publish(const PublishedPrimary& primary) override;
  Status Drain(Duration grace, Deadline deadline) override;
  Status Withdraw() override;
  Status Renew(Epoch epoch, TimePoint known_at) override;
  PublicationSeen Current() const override;

 private:
  struct Shared;
  Status Call(std::function<Status(Publisher&)> call, Duration within) const;

  const std::shared_ptr<Shared> shared_;
  const std::string what_;
  const Duration within_;
  const Clock& clock_;
};

}  // namespace pandora_ha
