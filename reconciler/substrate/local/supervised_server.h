// The one server process of a node's directory: starts it, adopts it, ends it, sees its end.
//
// Belongs to a supervisor's single thread and never blocks, except for file operations.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/substrate/local/data_directory.h"
#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/supervisor_protocol.h"

namespace pandora_ha {

class SupervisedServer {
 public:
  // `changed` is called on every change of state,
  // before anything else is done about it. `clock` must outlive the object.
  SupervisedServer(std::string directory, const Clock& clock, std::function<void()> changed);

  // Ends what a predecessor left half done and adopts the server that runs. REQUIRES: called once,
  // before anything below. On an error it is not known whether a server runs: the object must not
  // be used, or its owner would report an end that nobody has seen.
  Status Adopt();

  const ProcessState& state() const { return state_; }
  // A process of ours is alive: the server, or one that makes its data directory.
  bool busy() const { return process_.open(); }
  bool running() const { return state_.phase == ProcessState::Phase::kRunning; }
  // Readable when OnProcessEnd() is to be called; -1: no process.
  int watch_descriptor() const { return process_.get(); }
  void OnProcessEnd();

  // Begins, or says why not. What becomes of it is in state(): running, or ended with the reason.
  Status Start(const SupervisorRequest& request);
  // Begin; done when not busy(), a fence also when spent().
  void Stop();
  void Kill();
  void Fence();
  // Fenced, and its end is not seen yet; LookAtFenced() learns whether it does anything still.
  bool ending_fenced() const { return state_.fenced && work_ == Work::kServing && !spent_; }
  void LookAtFenced();
  // Fenced, and only the kernel holds what is left: to others it has ended. Nothing can be started
  // before it really has.
  bool spent() const { return spent_; }
  void DeleteLeftovers() { data_.DeleteLeftovers(); }
  // Deletes the data of before the last copy.
  Status DiscardOld();
  // A copy is under way; LookAtCopy() learns how far it is.
  bool copying() const { return work_ == Work::kInitialising && !how_.copy_id.empty(); }
  void LookAtCopy();
  // Flushes the mark of a fence whose process has ended. Slow (a disk): call it after the answer.
  void MakeFenceDurable();

 private:
  enum class Work { kNone, kInitialising, kServing };

  Status BeginInitialise();
  Status BeginServe(const std::vector<std::string>& argv);
  void FinishInitialise(const std::string& how, bool succeeded);
  void FinishServe(const std::string& how, int exit_code);
  void GiveUpStarting(std::string why);
  void FailCopy(const std::string& why);
  Result<Descriptor> SpawnServer(const std::vector<std::string>& argv, int input,
                                 const char* output);

  const std::string directory_;
  DataDirectory data_;
  const Clock& clock_;
  const std::function<void()> changed_;
  ProcessState state_;
  SupervisorRequest how_;  // the last start asked of us
  Work work_ = Work::kNone;
  Descriptor process_;  // pidfd
  pid_t pid_ = 0;
  bool is_child_ = false;   // false: adopted, its exit status goes to somebody else
  bool end_asked_ = false;  // by Stop() or Fence(): not a crash
  bool mark_unflushed_ = false;
  bool spent_ = false;
  std::optional<TimePoint> held_since_;  // as each look since then found it
  bool make_anew_ = false;               // the copy begins when the server has ended
  bool restarted_ = false;
  TimePoint restarted_at_{};
};

}  // namespace pandora_ha
