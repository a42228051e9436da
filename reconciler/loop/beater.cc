#include "reconciler/loop/beater.h"

#include <utility>
#include "reconciler/base/log.h"

namespace pandora_ha {

struct Beater::Words {
  const char* fails;
  const char* works;
};

constexpr Beater::Words Beater::kHeartbeat{
    "The heartbeat could not be renewed; where that lasts, look at the disk and the heartbeat "
    "table "
    "of the primary.",
    "The heartbeat is renewed again."};
constexpr Beater::Words Beater::kGuards{
    "What people asked for (pauses, fences) could not be written for the other managers; where "
    "that "
    "lasts, look at the disk and the table pandora_ha_guards of the primary.",
    "What people asked for is written again."};

Beater::Beater(Connect connect, const Clock& clock, Duration timeout)
    : clock_(clock), way_{std::move(connect), timeout} {}

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
  way_ = {std::move(connect), timeout};
  changed_ = true;
  wanted_.reset();
}

void Beater::Beat(BeatWanted wanted) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_) return;
    wanted_ = std::move(wanted);
    if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  }
  asked_.notify_all();
}

void Beater::Tell(const NodeName& primary, const Status& done, const Words& words) {
  std::string problem = done.ok() ? "" : done.error().message;
  std::string& told = problems_[words.fails];
  if (problem == told) return;
  told = std::move(problem);
  if (told.empty()) {
    Log(LogLevel::kInfo, words.works, {{"node", primary.text}});
  } else {
    Log(LogLevel::kWarning, words.fails, {{"node", primary.text}, {"error", told}});
  }
}

void Beater::Carry(const BeatWanted& wanted, const Way& way) {
  auto& node = nodes_[wanted.primary];
  if (!node) node = way.connect(wanted.primary);
  // First: they are rare, and a heartbeat that is held up must not hold them up.
  if (wanted.guards) {
    Tell(wanted.primary,
         node->WriteGuards(*wanted.guards, wanted.epoch, wanted.holder,
                           Deadline(clock_, way.timeout)),
         kGuards);
  }
  if (wanted.heartbeat) {
    Tell(wanted.primary,
         node->WriteMarker(wanted.epoch, wanted.primary, clock_.Now().wall,
                           Deadline(clock_, way.timeout)),
         kHeartbeat);
  }
}

void Beater::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [&] { return stopping_ || wanted_; });
    if (stopping_) return;
    const BeatWanted wanted = *wanted_;
    wanted_.reset();
    busy_ = true;
    const Way way = way_;
    const bool anew = std::exchange(changed_, false);
    lock.unlock();
    if (anew) nodes_.clear();
    Carry(wanted, way);
    lock.lock();
    busy_ = false;
  }
}

}  // namespace pandora_ha
