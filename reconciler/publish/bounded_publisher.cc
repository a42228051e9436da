#include "reconciler/publish/bounded_publisher.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace pandora_ha {

struct BoundedPublisher::Shared {
  explicit Shared(std::shared_ptr<Publisher> publisher) : inner(std::move(publisher)) {}

  const std::shared_ptr<Publisher> inner;
  std::mutex mutex;
  std::condition_variable returned;
  int given_up = 0;           // calls that nobody waits for any more and that have not come back
  TimePoint hangs_since{};    // the first of them; only while there is one
  PublicationSeen last_seen;  // by a call that came back in time or late
};

BoundedPublisher::BoundedPublisher(std::shared_ptr<Publisher> inner, std::string what,
                                   Duration within, const Clock& clock)
    : shared_(std::make_shared<Shared>(std::move(inner))),
      what_(std::move(what)),
      within_(within),
      clock_(clock) {}

Status BoundedPublisher::Call(std::function<Status(Publisher&)> call, Duration within) const {
  struct Waited {
    std::optional<Status> answer;
    bool given_up = false;
  };
  const auto hangs = [this] {
    return Error{ErrorCode::kTimeout,
                 what_ + " has not answered for " +
                     FormatDuration(clock_.Now().mono - shared_->hangs_since) +
                     "; look at its disk, or at the file server that it comes from."};
  };
  const TimePoint began = clock_.Now().mono;
  std::unique_lock lock(shared_->mutex);
  if (shared_->given_up > 0) return hangs();
  const auto waited = std::make_shared<Waited>();
  std::thread([shared = shared_, waited, call = std::move(call),
               deadline = Deadline(clock_, within)] {
    // Frozen before it began, it may have been replaced: what it was to tell is old.
    Status answer = deadline.passed()
                        ? Status(Error{ErrorCode::kTimeout, "It was not begun in time."})
                        : call(*shared->inner);
    const std::lock_guard done(shared->mutex);
    waited->answer = std::move(answer);
    if (waited->given_up) --shared->given_up;
    shared->returned.notify_all();
  }).detach();
  if (shared_->returned.wait_for(lock, within, [&] { return waited->answer.has_value(); }))
    return std::move(*waited->answer);
  waited->given_up = true;
  if (shared_->given_up++ == 0) shared_->hangs_since = began;
  return hangs();
}

Status BoundedPublisher::Publish(const PublishedPrimary& primary) {
  return Call([primary](Publisher& inner) { return inner.Publish(primary); }, within_);
}

Status BoundedPublisher::Drain(Duration grace, Deadline deadline) {
  return Call([grace, deadline](Publisher& inner) { return inner.Drain(grace, deadline); },
              deadline.left() + within_);
}

Status BoundedPublisher::Withdraw() {
  return Call([](Publisher& inner) { return inner.Withdraw(); }, within_);
}

Status BoundedPublisher::Renew(Epoch epoch, TimePoint known_at) {
  return Call([epoch, known_at](Publisher& inner) { return inner.Renew(epoch, known_at); },
              within_);
}

PublicationSeen BoundedPublisher::Current() const {
  const Status asked = Call(
      [shared = shared_](Publisher& inner) {
        PublicationSeen seen = inner.Current();
        const std::lock_guard lock(shared->mutex);
        shared->last_seen = std::move(seen);
        return Ok();
      },
      within_);
  const std::lock_guard lock(shared_->mutex);
  PublicationSeen seen = shared_->last_seen;
  if (!asked.ok()) seen.problem = asked.error().message;
  return seen;
}

}  // namespace pandora_ha
