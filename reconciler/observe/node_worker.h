// Looks at one server, on a thread of its own, so that a server that hangs delays nobody.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "reconciler/base/clock.h"
#include "reconciler/model/observation.h"
#include "reconciler/port/database.h"
#include "reconciler/port/host.h"
#include "reconciler/port/node_runner.h"

namespace pandora_ha {

// Owns the server's connection. Between looks it listens for the connection to break, which a
// killed server does at once.
class NodeWorker final : public NodeRunner {
 public:
  // `host` may be null (nobody owns the process for us) and, like `clock`, must outlive the worker.
  // `on_news` is called from the worker's thread when the connection broke, or when a look that
  // was given up found something new; it must not block.
  NodeWorker(NodeName name, std::unique_ptr<DatabaseNode> database, Host* host, const Clock& clock,
             Duration look_timeout, std::function<void()> on_news);
  // Waits for a task under way, at most for its deadline.
  ~NodeWorker() override;

  const NodeName& name() const override { return name_; }
  Status Run(Task task, Deadline deadline) override;

  // Asks for a fresh look. One that is under way already counts, when it began after the last
  // finished one. `over` is called from the worker's thread once it is over, whoever has given it
  // up in between, unless another request came first; it must not block.
  void RequestLook(std::function<void()> over = {});
  // Waits until no requested look is outstanding. False when the deadline came first.
  bool WaitForLook(Deadline deadline);
  // A requested look is outstanding.
  bool Looking() const;
  // The same without waiting.
  bool GiveUpLook();
  // For looks from now on.
  void SetLookTimeout(Duration timeout) { look_timeout_ = timeout; }
  // Begins to end: what is under way goes on, nothing else begins. The destructor waits.
  void Stop();
  // The last finished look left the server unanswered: waiting for the next one is likely in vain.
  bool unanswered() const;
  // The last finished look, with the owner's present word on the process.
  DatabaseSeen Seen() const;

 private:
  struct Job;

  void Loop();
  void Look();
  void RunJob(const std::shared_ptr<Job>& job);
  void Sleep(std::unique_lock<std::mutex>& lock);
  void Interrupt() const;

  const NodeName name_;
  const std::unique_ptr<DatabaseNode> database_;  // used by the worker's thread only
  Host* const host_;
  const Clock& clock_;
  std::atomic<Duration> look_timeout_;
  const std::function<void()> on_news_;
  const int interrupt_;  // eventfd that ends the thread's poll

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  bool look_wanted_ = false;
  bool looking_ = false;
  std::function<void()> over_;
  bool given_up_ = false;  // nobody waits any more for the look that is outstanding
  std::deque<std::shared_ptr<Job>> jobs_;
  DatabaseSeen seen_;

  std::thread thread_;
};

}  // namespace pandora_ha
