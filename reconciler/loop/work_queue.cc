#include "reconciler/loop/work_queue.h"

#include <algorithm>

namespace pandora_ha {
namespace {

constexpr Duration kNothingDue = Seconds(3600);

}  // namespace

WorkQueue::WorkQueue(const Clock& clock, std::size_t most_threads)
    : clock_(clock), most_threads_(most_threads) {}

WorkQueue::~WorkQueue() {
  Close();
  // Nobody hires once it is closed.
  for (std::thread& thread : threads_) thread.join();
}

void WorkQueue::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  idle_.notify_all();
  time_.notify_all();
}

void WorkQueue::Add(const std::string& key, Turn turn) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.try_emplace(key).first;
  entry->second.turn = std::move(turn);
  MakeReady(entry);
}

void WorkQueue::Remove(const std::string& key) {
  std::unique_lock lock(mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return;
  // A key that is always ready must not begin another turn meanwhile.
  entry->second.going = true;
  turn_over_.wait(lock, [&] { return entry->second.state != State::kRunning; });
  due_.erase({entry->second.due, key});
  std::erase(ready_, key);
  entries_.erase(entry);
}

void WorkQueue::Wake(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.going) return;
  switch (entry->second.state) {
    case State::kWaiting:
      due_.erase({entry->second.due, key});
      MakeReady(entry);
      break;
    case State::kReady:
      break;
    case State::kRunning:
      entry->second.again = true;
      break;
  }
}

std::size_t WorkQueue::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void WorkQueue::MakeReady(Entries::iterator entry) {
  entry->second.state = State::kReady;
  ready_.push_back(entry->first);
  CallSomebody();
}

// For a turn that has become ready, or for the time, which nobody keeps any more.
void WorkQueue::CallSomebody() {
  if (closed_) return;
  if (resting_ > 0) {
    idle_.notify_one();
  } else if (kept_) {
    time_.notify_one();
  } else if (!starting_ && threads_.size() < std::min(most_threads_, entries_.size())) {
    // One after the other: the new one calls the next when there is still something to do.
    starting_ = true;
    threads_.emplace_back([this] { Loop(); });
  }
}

void WorkQueue::TakeDue() {
  const TimePoint now = clock_.Now().mono;
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto entry = entries_.find(due_.begin()->second);
    due_.erase(due_.begin());
    entry->second.state = State::kReady;
    ready_.push_back(entry->first);
  }
}

void WorkQueue::Loop() {
  std::unique_lock lock(mutex_);
  starting_ = false;
  while (!closed_) {
    TakeDue();
    if (ready_.empty()) {
      Rest(lock);
    } else {
      RunOne(lock);
    }
  }
}

void WorkQueue::RunOne(std::unique_lock<std::mutex>& lock) {
  const auto entry = entries_.find(ready_.front());
  ready_.pop_front();
  entry->second.state = State::kRunning;
  // Others are ready, or will be due while this one runs.
  if (!ready_.empty() || (!kept_ && !due_.empty())) CallSomebody();
  lock.unlock();
  const Duration wait = entry->second.turn();
  lock.lock();
  // A key is removed only between its turns, so the entry is still there.
  Entry& done = entry->second;
  if (done.going) {
    done.state = State::kWaiting;
  } else if (std::exchange(done.again, false) || wait <= Duration::zero()) {
    done.state = State::kReady;
    ready_.push_back(entry->first);
  } else {
    done.state = State::kWaiting;
    done.due = clock_.Now().mono + wait;
    due_.emplace(done.due, entry->first);
    if (kept_ && done.due < kept_until_) time_.notify_one();
  }
  turn_over_.notify_all();
}

void WorkQueue::Rest(std::unique_lock<std::mutex>& lock) {
  if (kept_) {
    ++resting_;
    idle_.wait(lock);
    --resting_;
    return;
  }
  kept_ = true;
  const TimePoint now = clock_.Now().mono;
  kept_until_ = due_.empty() ? now + kNothingDue : due_.begin()->first;
  time_.wait_for(lock, kept_until_ - now);
  kept_ = false;
}

}  // namespace pandora_ha
