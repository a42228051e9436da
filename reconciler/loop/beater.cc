#include "reconciler/loop/beater.h"

#include <utility>

namespace pandora_ha {

Beater::Beater(Connect connect, const Clock& clock, Duration timeout)
    : clock_(clock), connect_(std::move(connect)), timeout_(timeout) {}

Beater::~Beater() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Beater::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
}

void Beater::Change(Connect connect, Duration timeout) {
  const std::lock_guard lock(mutex_);
  connect_ = std::move(connect);
  timeout_ = timeout;
  changed_ = true;
}

void Beater::Beat(const NodeName& primary, Epoch epoch) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_) return;
    wanted_ = Wanted{primary, epoch};
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
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
    const Connect connect = connect_;
    const Duration timeout = timeout_;
    const bool anew = std::exchange(changed_, false);
    lock.unlock();
    if (anew) nodes_.clear();
    auto& node = nodes_[wanted.primary];
    if (!node) node = connect(wanted.primary);
    const Status status = node->WriteMarker(wanted.epoch, wanted.primary, clock_.Now().wall,
                                            Deadline(clock_, timeout));
    lock.lock();
    busy_ = false;
    problem_ = status.ok() ? "" : status.error().message;
  }
}

}  // namespace pandora_ha
