// The loop of one cluster: look, decide, remember, act, tell; and again.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
  // Lets Turn() be called soon, on whatever thread; must not block. Empty: nobody calls it.
  std::function<void()> call = {};
};

class ClusterLoop {
 public:
  explicit ClusterLoop(const LoopParts& parts);

  // Reads the memory. An unreadable one is an error: a cluster without its epoch must not be acted
  // on.
  Status Start();

  // A turn of the WorkQueue: begins a look, or does the rest of the tick once that is over;
  // nobody's thread waits for the answers in between. Gives after how long it must be called again
  // when parts.call did not come before; called too early, it does nothing. One thread at a time.
  // REQUIRES: Start() succeeded.
  Duration Turn();
  // Between the two halves of a tick.
  bool looking() const { return looking_; }
  // REQUIRES: !looking().
  const Memory& memory() const { return memory_; }

  // A whole tick in one call, which waits for the answers. For tests.
  Duration Tick();

  // Look now. Thread-safe, never blocks for long.
  void Wake();

  // Why the document that lies there is not in force, until it is called with an empty text. Told
  // from the next look on. REQUIRES: !looking().
  void SetDocumentProblem(std::string problem) { document_problem_ = std::move(problem); }
  // What parts.hands holds has become another: `words` are told as an event, and looks at
  // `replaced` are counted from one again. REQUIRES: !looking().
  void Changed(std::vector<std::string> words, const std::vector<NodeName>& replaced);

  // Hands in what a person asks for; the next look takes it up. kConflict, with a sentence: see
  // IntentInbox::Add; also when another manager acts. Thread-safe, never blocks for long.
  Status Ask(Intent intent);
  // What was asked for and has not been taken up yet. Thread-safe.
  std::vector<Intent> Pending() const { return inbox_.All(); }

 private:
  void Begin(const std::function<void()>& over);
  void Look(const std::function<void()>& over);
  // The rest of the tick, with the time until the next one; nothing: another look has begun.
  std::optional<Duration> Finish(const std::function<void()>& over);
  Duration Act(Observation seen);
  void ForgetMonotonicDates();
  bool Remember(const Memory& decided);
  void KeepStoreProblem(std::string problem);
  void Beat(const Observation& seen, const Decision& decision);
  // Another manager acts: nothing is done, and nothing is stored but what people asked of that one.
  Duration StandBySince(Observation seen);
  void FollowPublication(const Observation& seen);
  void KeepPublicationBelieved(const Observation& seen, const Decision& decision);
  void Refuse(Decision* decision, const std::string& why);
  void Tell(Observation seen, Decision decision, Report report);
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

  std::atomic<bool> looking_ = false;
  TimePoint asked_at_{};   // when the last look began
  TimePoint next_tick_{};  // when nobody wakes it
  TickTimes times_;        // of the tick under way
  std::string document_problem_;
  std::vector<std::string> document_changes_;  // not told yet
  std::atomic<bool> woken_ = false;            // since the look began
};

}  // namespace pandora_ha
