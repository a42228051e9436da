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

void Beater::Beat(const NodeName& primary, Epoch epoch) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_) return;
    wanted_ = Wanted{primary, epoch};
  }
  asked_.notify_all();
}

std::string Beater::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void Beater::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [&] { return stopping_ || wanted_; });
    if (stopping_) return;
    const Wanted wanted = *wanted_;
    wanted_.reset();
    busy_ = true;
    lock.unlock();
    auto& node = nodes_[wanted.primary];
    if (!node) node = connect_(wanted.primary);
    const Status status = node->WriteMarker(wanted.epoch, wanted.primary, clock_.Now().wall,
                                            Deadline(clock_, timeout_));
    lock.lock();
    busy_ = false;
    problem_ = status.ok() ? "" : status.error().message;
  }
}

}  // namespace pandora_ha
