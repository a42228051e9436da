#include "reconciler/mysql/statement_limit.h"

namespace pandora_ha {

Result<std::unique_ptr<StatementLimit>> StatementLimit::Begin(const SessionOptions& options,
                                                              std::uint64_t connection,
                                                              Milliseconds within,
                                                              Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(auto killer, Session::Connect(options, deadline));
  return std::unique_ptr<StatementLimit>(
      new StatementLimit(std::move(killer), connection, deadline.Within(within), deadline));
}

StatementLimit::StatementLimit(std::unique_ptr<Session> killer, std::uint64_t connection,
                               Deadline at, Deadline deadline)
    : killer_(std::move(killer)),
      connection_(connection),
      at_(at),
      deadline_(deadline),
      thread_([this] { Watch(); }) {}

StatementLimit::~StatementLimit() {
  Stop();
}

bool StatementLimit::Stop() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  return struck_;
}

void StatementLimit::Watch() {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, at_.left(), [&] { return done_; })) return;
  struck_ = true;
  lock.unlock();
  // Should it fail, the server's own, coarser timeout is still there.
  [[maybe_unused]] const Status sent =
      killer_->Execute("KILL QUERY " + std::to_string(connection_), deadline_);
}

}  // namespace pandora_ha
