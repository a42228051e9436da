#include "reconciler/loop/beater.h"

#include "reconciler/base/log.h"

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

void Beater::Tell(const NodeName& primary, const std::string& problem) {
  if (problem == problem_) return;
  problem_ = problem;
  if (problem.empty()) {
    Log(LogLevel::kInfo, "The heartbeat is renewed again.", {{"node", primary.text}});
  } else {
    Log(LogLevel::kWarning,
        "The heartbeat could not be renewed; look at the disk and the heartbeat table of the "
        "primary.",
        {{"node", primary.text}, {"error", problem}});
  }
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
    Tell(wanted.primary, status.ok() ? "" : status.error().message);
    lock.lock();
    busy_ = false;
  }
}

}  // namespace pandora_ha
