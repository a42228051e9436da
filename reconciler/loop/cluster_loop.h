// The loop of one cluster: look, decide, remember, act, tell; and again.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>

#include "reconciler/act/executor.h"
#include "reconciler/base/clock.h"
#include "reconciler/loop/beater.h"
#include "reconciler/loop/intent_inbox.h"
#include "reconciler/loop/leader.h"
#include "reconciler/loop/noticeboard.h"
#include "reconciler/observe/observer.h"
#include "reconciler/port/store.h"

namespace pandora_ha {

// What a loop works with. All must outlive it.
struct LoopParts {
  Observer& observer;
  const Hands& hands;
  Store& store;
  Beater& beater;
  Noticeboard& noticeboard;
  // The same object as hands.lease where several managers may look after the cluster; else null.
  Leader* leader = nullptr;
};

class ClusterLoop {
 public:
  explicit ClusterLoop(const LoopParts& parts);

  // Reads the memory. An unreadable one is an error: a cluster without its epoch must not be acted
  // on.
  Status Start();

  // Ticks until stop is requested. On the caller's thread.
  void Run(std::stop_token stop);

  // One tick; returns how long to wait for the next one when nothing happens. For tests and Run.
  // REQUIRES: Start() succeeded.
  Duration Tick();

  // Look now. Thread-safe, never blocks for long.
  void Wake();

  // Hands in what a person asks for; the next look takes it up. kConflict, with a sentence: see
  // IntentInbox::Add; also when another manager acts. Thread-safe, never blocks for long.
  Status Ask(Intent intent);
  // What was asked for and has not been taken up yet. Thread-safe.
  std::vector<Intent> Pending() const { return inbox_.All(); }

 private:
  void ForgetMonotonicDates();
  bool Remember(const Memory& decided);
  void KeepStoreProblem(std::string problem);
  void Beat(const Observation& seen, const Decision& decision);
  // Another manager acts: nothing is done, and nothing is stored but what people asked of that one.
  Duration StandBySince(Observation seen, TickTimes times);
  void FollowPublication(const Observation& seen);
  void KeepPublicationBelieved(const Observation& seen, const Decision& decision);
  void Refuse(Decision* decision, const std::string& why);
  void Tell(Observation seen, Decision decision, Report report, const TickTimes& times);
  void CountFailover(const Observation& seen, const Decision& decision, const Report& report);

  const LoopParts parts_;
  const Clock& clock_;
  Memory memory_;
  TimePoint stored_at_{};
  ClusterStatus last_status_;
  Counters counters_;
  FailoverTiming timing_;
  std::string last_failure_;
  bool unstored_ = false;  // the memory changed while another manager acted
  bool failing_ = false;   // the last plan was not completed
  std::string renew_problem_;
  std::string store_problem_;  // why the memory was last not stored; empty: it was
  IntentInbox inbox_;

  std::mutex mutex_;
  std::condition_variable_any woken_;
  bool wake_ = false;
};

}  // namespace pandora_ha
