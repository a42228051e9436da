// Looks at one server, on a thread of its own, so that a server that hangs delays nobody.
#pragma once

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
  // `on_news` is called from the worker's thread when the connection broke, or when a look that was
  // not over when Seen() was asked found something new; it must not block.
  NodeWorker(NodeName name, std::unique_ptr<DatabaseNode> database, Host* host, const Clock& clock,
             Duration look_timeout, std::function<void()> on_news);
  // Waits for a task under way, at most for its deadline.
  ~NodeWorker() override;

  const NodeName& name() const override { return name_; }
  Status Run(Task task, Deadline deadline) override;

  // Asks for a fresh look. One that is under way already counts, when it began after the last
  // finished one.
  void RequestLook();
  // Waits until no requested look is outstanding. False when the deadline came first.
  bool WaitForLook(Deadline deadline) const;
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
  const Duration look_timeout_;
  const std::function<void()> on_news_;
  const int interrupt_;  // eventfd that ends the thread's poll

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  bool look_wanted_ = false;
  bool looking_ = false;
  mutable bool late_ = false;  // somebody took what was seen while a look was outstanding
  std::deque<std::shared_ptr<Job>> jobs_;
  DatabaseSeen seen_;

  std::thread thread_;
};

}  // namespace pandora_ha
