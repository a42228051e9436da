#include "reconciler/loop/beater.h"

namespace pandora_ha {

Beater::Beater(Connect connect, const Clock& clock, Duration timeout)
    : connect_(std::move(connect)), clock_(clock), timeout_(timeout), thread_([this] { Loop(); }) {}

Beater::~Beater() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
  thread_.join();
}

void Beater::Beat(BeatWanted wanted) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_) return;
    wanted_ = std::move(wanted);
  }
  asked_.notify_all();
}

std::string Beater::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

Status Beater::Carry(const BeatWanted& wanted) {
  auto& node = nodes_[wanted.primary];
  if (!node) node = connect_(wanted.primary);
  // First: they are rare, and a heartbeat that is held up must not hold them up.
  Status guards = Ok();
  if (wanted.guards) {
    guards =
        node->WriteGuards(*wanted.guards, wanted.epoch, wanted.holder, Deadline(clock_, timeout_));
  }
  if (!wanted.heartbeat) return guards;
  const Status beat = node->WriteMarker(wanted.epoch, wanted.primary, clock_.Now().wall,
                                        Deadline(clock_, timeout_));
  return guards.ok() ? beat : guards;
}

void Beater::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [&] { return stopping_ || wanted_; });
    if (stopping_) return;
    const BeatWanted wanted = *wanted_;
    wanted_.reset();
    busy_ = true;
    lock.unlock();
    const Status status = Carry(wanted);
    lock.lock();
    busy_ = false;
    problem_ = status.ok() ? "" : status.error().message;
  }
}

}  // namespace pandora_ha
