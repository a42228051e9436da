#include "reconciler/loop/beater.h"

#include <algorithm>
#include <utility>

#include "reconciler/base/log.h"

namespace pandora_ha {

namespace {
// Much less than any verdict that rests on the answers takes.
constexpr Milliseconds kAskAfterEvery{100};
// Of the pause after a question without an answer. Meanwhile no heartbeat is sent, also when the
// server is well again.
constexpr int kMostDoublings = 3;
}  // namespace

struct Beater::Words {
  const char* fails;
  const char* works;
};

constexpr Beater::Words Beater::kHeartbeat{
    "The heartbeat could not be renewed; where that lasts, commits of the primary wait: for a "
    "replica (status tells), for a lock on its heartbeat table, or for its disk.",
    "The heartbeat is renewed again."};
constexpr Beater::Words Beater::kGuards{
    "The guards (pauses, fences, acknowledgements) could not be written for the other managers; "
    "where that lasts, look at the disk and the table pandora_ha_guards of the primary.",
    "The guards are written again."};

Beater::Beater(Connect connect, const Clock& clock, Duration timeout, DiskWrites disk_writes)
    : clock_(clock), way_{std::move(connect), timeout, std::move(disk_writes)} {}

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

void Beater::Change(Connect connect, Duration timeout, DiskWrites disk_writes) {
  const std::lock_guard lock(mutex_);
  way_ = {std::move(connect), timeout, std::move(disk_writes)};
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
  // That a server is gone, the looks tell.
  if (!done.ok() && done.error().code == ErrorCode::kUnreachable) return;
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

std::optional<StalledWrite> Beater::Stalled(const NodeName& primary) const {
  const std::lock_guard lock(mutex_);
  return left_ && left_->primary == primary ? left_->stalled : std::nullopt;
}

void Beater::AskAfter(const Way& way) {
  if (clock_.Now().mono < left_->ask_from) return;
  Left left = *left_;
  const auto standing = nodes_.at(left.primary)->AskAfterMarker(Deadline(clock_, way.timeout));
  const TimePoint now = clock_.Now().mono;
  const bool over = standing.ok() && !standing->pending;
  std::string written = way.disk_writes ? way.disk_writes(left.primary) : "";
  if (written != left.written) {
    left.since = now;
    left.written = std::move(written);
  }
  // No answer says nothing new: the last one keeps its date.
  if (standing.ok()) {
    left.stalled.reset();
    if (standing->in_commit && !left.written.empty())
      left.stalled = StalledWrite{left.since, now, standing->doing};
  }
  // A question that hangs holds a connection, too.
  left.unanswered = standing.ok() ? 0 : std::min(left.unanswered + 1, kMostDoublings);
  left.ask_from = now + (standing.ok() ? kAskAfterEvery : way.timeout * (1 << left.unanswered));
  const std::lock_guard lock(mutex_);
  if (over) {
    left_.reset();
  } else {
    *left_ = std::move(left);
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
  if (!wanted.heartbeat || (left_ && left_->primary == wanted.primary)) return;
  const std::string before = way.disk_writes ? way.disk_writes(wanted.primary) : "";
  const Instant sent = clock_.Now();
  const Status done =
      node->WriteMarker(wanted.epoch, wanted.primary, sent.wall, Deadline(clock_, way.timeout));
  Tell(wanted.primary, done, kHeartbeat);
  const std::lock_guard lock(mutex_);
  left_.reset();
  if (!done.ok() && done.error().code == ErrorCode::kTimeout)
    left_.emplace(Left{wanted.primary, sent.mono, before, std::nullopt, 0, {}});
}

void Beater::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    const auto called = [&] { return stopping_ || wanted_; };
    if (left_) {
      asked_.wait_for(lock, kAskAfterEvery, called);
    } else {
      asked_.wait(lock, called);
    }
    if (stopping_) return;
    const std::optional<BeatWanted> wanted = std::exchange(wanted_, std::nullopt);
    busy_ = wanted.has_value();
    const Way way = way_;
    if (std::exchange(changed_, false)) {
      nodes_.clear();
      left_.reset();
    }
    lock.unlock();
    if (wanted) Carry(*wanted, way);
    if (left_) AskAfter(way);
    lock.lock();
    busy_ = false;
  }
}

}  // namespace pandora_ha
