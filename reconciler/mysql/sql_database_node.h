// The class behind MakeDatabaseNode(). Internal to this folder; its functions are in
// database_node.cc (looking, replicating), database_applying.cc, database_marker.cc and
// database_closing.cc (lock, read-only).
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reconciler/mysql/blockers.h"
#include "reconciler/mysql/database_node.h"
#include "reconciler/mysql/dialect.h"

namespace pandora_ha {

// A little less than the deadline leaves, so that the server gives up before we do and its answer
// still reaches us: then the outcome is known.
inline Milliseconds ServerShare(Deadline deadline) {
  const auto left = std::chrono::duration_cast<Milliseconds>(deadline.left());
  return std::max(Milliseconds(1),
                  left - std::clamp(left / 10, Milliseconds(5), Milliseconds(200)));
}

class SqlDatabaseNode final : public DatabaseNode {
 public:
  explicit SqlDatabaseNode(DatabaseNodeOptions options) : options_(std::move(options)) {}

  Look Observe(Deadline deadline) override;
  int WatchDescriptor() const override { return descriptor_; }
  void Disconnect() override;
  Result<bool> IsWritable(Deadline deadline) override;
  Result<std::vector<Blocker>> Blockers(Duration older_than, Deadline deadline) override;
  Result<MarkerStanding> AskAfterMarker(Deadline deadline) override;
  Status AwaitExecuted(const GtidSet& wanted, Deadline deadline) override;
  Status TakeLock(Deadline deadline) override;
  Status EvictHolder(Deadline deadline) override;
  Status ReleaseLock(Deadline deadline) override;
  Status SetReadOnly(Deadline deadline) override;
  Status EndTransactions(const std::vector<Blocker>& blockers, Deadline deadline) override;
  Status OpenWritable(Deadline deadline) override;
  Status StopReceiving(Deadline deadline) override;
  Status ApplyReceived(Deadline deadline) override;
  Status LeaveReplication(Deadline deadline) override;
  Status ReplicateFrom(const Address& source, const Account& account, const Secret& password,
                       Deadline deadline) override;
  Status SetSemiSync(SemiSyncRole role, Deadline deadline) override;
  Status InjectEmpty(const GtidSet& transactions, Deadline deadline) override;
  Status WriteMarker(Epoch epoch, const NodeName& writer, WallTime now, Deadline deadline) override;
  Status WriteGuards(const GuardsCopy& copy, Epoch epoch, std::uint64_t holder,
                     Deadline deadline) override;
  Status Provision(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                   Deadline deadline) override;

 private:
  Status Follow(const Address& source, const Account& account, const Secret& password,
                Deadline deadline);
  // Connects and learns the dialect, unless that is done.
  Status Ready(Deadline deadline);
  Result<DatabaseState> AskState(Deadline deadline);
  // One round trip that changes nothing.
  Result<ResultSets> Ask(const std::string& sql, Deadline deadline);
  // Refuses when a lock is demanded and this session does not hold it.
  Status MayChange() const;
  // The only two ways to send a statement that changes something.
  Status Change(const std::string& sql, Deadline deadline);
  Status ChangeSecret(const std::string& sql, Deadline deadline);
  // `first` goes before the question, in one round trip; what it met does not matter.
  Result<ManagerLockSeen> LockAfter(const std::string& first, Deadline deadline);
  // Keeps locked_ in step; asks once more who it is when somebody else holds it.
  Result<ManagerLockSeen> ReadLock(const Rows& rows, Deadline deadline);
  Status NeedsLockName() const;
  // Leaves the server half closed at worst.
  Status Close(Deadline deadline);
  Error HeldBy(const ManagerLockSeen& lock) const;
  Result<std::set<std::string>> LockedTables(Deadline deadline);
  Ourselves Us() const { return {options_.session.user, options_.lock_name}; }
  Result<ReplicaStanding> Standing(Deadline deadline);
  // Gets the applier going for what is in the relay log, without losing any of it.
  Status EndPartOfTransaction(Deadline deadline);
  Status EnsureApplier(const ReplicaStanding& standing, Deadline deadline);
  Status WaitUntilApplied(ReplicaStanding standing, Deadline deadline);
  // A connection for what may wait for an acknowledgement; writes rows, which a replica copies as
  // they are.
  Status ReadyMarkerSession(Deadline deadline);
  // True when `sql` matched or wrote a row.
  Result<bool> Mark(const std::string& sql, Deadline deadline);
  Status RestartReceiverForSemiSync(Deadline deadline);
  Status RefuseWhileCommitsWait(Deadline deadline);
  Result<std::optional<std::string>> CaFileForReplication(Deadline deadline);
  Status ProvisionUnlocked(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                           Deadline deadline);
  // Keeps what others poll in step with the session; the session may have broken in the last call.
  void NoteDescriptor();
  std::string Where() const { return ToString(options_.session.address); }

  const DatabaseNodeOptions options_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Session> marker_session_;
  std::unique_ptr<Dialect> dialect_;
  bool locked_ = false;  // session_ holds the lock; dies with it
  // The last session of ours that held it, which the server may keep after we have lost it, and the
  // run of the server that numbered it.
  std::uint64_t last_holder_ = 0;
  std::string run_of_last_holder_;
  std::atomic<int> descriptor_{-1};
};

}  // namespace pandora_ha
