// Turns of many clusters on few threads.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reconciler/base/clock.h"

namespace pandora_ha {

// Each key has one turn at a time. A key whose time has come, or that was woken, waits behind those
// that came before it; waking it often is waking it once. A thread is added when there is a turn to
// begin and nobody free to begin it, up to the number of keys or `most_threads`, whichever is less;
// a key that is alone thus has one thread to itself. Thread-safe.
class WorkQueue {
 public:
  // Does a piece of work and tells after how long the next turn is due when nobody wakes the key
  // before; zero: at once. It should not wait for the world: a turn that does holds a thread.
  using Turn = std::function<Duration()>;
  static constexpr std::size_t kMostThreads = 64;

  // `clock` must outlive the queue.
  explicit WorkQueue(const Clock& clock, std::size_t most_threads = kMostThreads);
  // Waits for the turns under way.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // The first turn is due at once. REQUIRES: the key is not there.
  void Add(const std::string& key, Turn turn);
  // When it returns, the key's turn is over and no other one follows. Not from within that turn.
  void Remove(const std::string& key);
  // A turn under way is followed by another one. Nothing to do for a key that is not there.
  void Wake(const std::string& key);
  // From now on no turn begins.
  void Close();

  std::size_t threads() const;

 private:
  enum class State { kWaiting, kReady, kRunning };
  struct Entry {
    Turn turn;
    State state = State::kWaiting;
    TimePoint due{};     // while it waits
    bool again = false;  // woken while it runs
    bool going = false;  // being removed
  };
  using Entries = std::map<std::string, Entry>;

  void Loop();
  void TakeDue();
  void MakeReady(Entries::iterator entry);
  void RunOne(std::unique_lock<std::mutex>& lock);
  void Rest(std::unique_lock<std::mutex>& lock);
  void CallSomebody();

  const Clock& clock_;
  const std::size_t most_threads_;
  mutable std::mutex mutex_;
  std::condition_variable idle_, time_, turn_over_;
  bool closed_ = false;
  Entries entries_;
  std::set<std::pair<TimePoint, std::string>> due_;  // of those that wait
  std::deque<std::string> ready_;
  std::size_t resting_ = 0;  // threads that wait for a turn, without the one that keeps time
  bool starting_ = false;    // a thread has been made and has not begun yet
  bool kept_ = false;        // a thread sleeps until the next due time
  TimePoint kept_until_{};
  std::vector<std::thread> threads_;
};

}  // namespace pandora_ha
