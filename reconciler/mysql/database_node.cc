#include "reconciler/mysql/database_node.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "reconciler/mysql/blockers.h"
#include "reconciler/mysql/contact.h"
#include "reconciler/mysql/dialect.h"
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/mysql/provision.h"
#include "reconciler/mysql/quote.h"
#include "reconciler/mysql/relay_tail.h"
#include "reconciler/mysql/statement_limit.h"

namespace pandora_ha {
namespace {

constexpr Milliseconds kLongestServerWait{500};
constexpr Seconds kShortestSessionTimeout{5};
constexpr int kNoSuchThread = 1094;

// A little less than the deadline leaves, so that the server gives up before we do and its answer
// still reaches us: then the outcome is known.
Milliseconds ServerShare(Deadline deadline) {
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
  Status WriteMarker(Epoch epoch, const NodeName& writer, WallTime now, Deadline deadline) override;
  Status Provision(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                   Deadline deadline) override;

 private:
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
  Status EnsureApplier(const ReplicaStanding& standing, Deadline deadline);
  Status WaitUntilApplied(ReplicaStanding standing, Deadline deadline);
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
  std::atomic<int> descriptor_{-1};
};

void SqlDatabaseNode::NoteDescriptor() {
  if (session_ && session_->broken()) session_.reset();
  if (!session_) locked_ = false;
  descriptor_ = session_ ? session_->descriptor() : -1;
}

void SqlDatabaseNode::Disconnect() {
  descriptor_ = -1;
  session_.reset();
  locked_ = false;
  marker_session_.reset();
}

Status SqlDatabaseNode::Ready(Deadline deadline) {
  NoteDescriptor();
  if (session_) return Ok();
  PHA_ASSIGN_OR_RETURN(auto session, Session::Connect(options_.session, deadline));
  PHA_ASSIGN_OR_RETURN(const ServerVersion version, ParseServerVersion(session->server_version()));
  PHA_ASSIGN_OR_RETURN(const Rows rows, session->Query(kCapabilityQuery, deadline));
  if (!options_.lock_name.empty() && options_.wait_timeout > Seconds(0)) {
    PHA_TRY(session->Execute(
        "SET SESSION wait_timeout=" + std::to_string(options_.wait_timeout.count()), deadline));
  }
  dialect_ = MakeDialect(ReadCapabilities(version, rows));
  session_ = std::move(session);
  NoteDescriptor();
  return Ok();
}

Result<ResultSets> SqlDatabaseNode::Ask(const std::string& sql, Deadline deadline) {
  PHA_TRY(Ready(deadline));
  auto answers = session_->QueryAll(sql, deadline);
  NoteDescriptor();
  if (answers && answers->stopped_by) return *answers->stopped_by;
  return answers;
}

Status SqlDatabaseNode::MayChange() const {
  if (options_.lock_name.empty() || (locked_ && session_ && !session_->broken())) return Ok();
  return Error{ErrorCode::kConflict,
               "nothing was changed at " + Where() +
                   ": this manager's connection does not hold the lock " + options_.lock_name +
                   " there; take it first, or let the manager that has it work"};
}

Status SqlDatabaseNode::Change(const std::string& sql, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  const Status done = session_->Execute(sql, deadline);
  NoteDescriptor();
  return done;
}

Status SqlDatabaseNode::ChangeSecret(const std::string& sql, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  const Status done = session_->ExecuteSecret(sql, deadline);
  NoteDescriptor();
  return done;
}

// ---- The manager's lock.
// ----------------------------------------------------------------------------

Status SqlDatabaseNode::NeedsLockName() const {
  if (!options_.lock_name.empty()) return Ok();
  return Error{ErrorCode::kUnsupported, "no lock is configured for " + Where()};
}

Error SqlDatabaseNode::HeldBy(const ManagerLockSeen& lock) const {
  return {ErrorCode::kConflict, "the lock " + options_.lock_name + " at " + Where() +
                                    " is held by connection " + std::to_string(lock.connection) +
                                    (lock.who.empty() ? "" : " of " + lock.who)};
}

Result<ManagerLockSeen> SqlDatabaseNode::LockAfter(const std::string& first, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const ResultSets answers,
                       Ask(first + "; " + AskManagerLock(options_.lock_name), deadline));
  return ReadLock(answers.tables.back(), deadline);
}

Result<ManagerLockSeen> SqlDatabaseNode::ReadLock(const Rows& rows, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(ManagerLockSeen lock, ReadManagerLock(rows));
  locked_ = lock.holder == ManagerLockSeen::Holder::kOurs;
  if (lock.holder != ManagerLockSeen::Holder::kOther) return lock;
  // Only a name for people: the answer may be missing.
  const auto who = session_->Query(AskWhoIs(lock.connection), deadline);
  if (session_->broken()) return who.error();
  if (who && !who->empty()) lock.who = RowReader(*who, 0).Text("who");
  return lock;
}

Status SqlDatabaseNode::TakeLock(Deadline deadline) {
  PHA_TRY(NeedsLockName());
  PHA_ASSIGN_OR_RETURN(const ManagerLockSeen lock,
                       LockAfter(TakeManagerLock(options_.lock_name), deadline));
  if (locked_) return Ok();
  return HeldBy(lock);
}

Status SqlDatabaseNode::EvictHolder(Deadline deadline) {
  PHA_TRY(NeedsLockName());
  PHA_ASSIGN_OR_RETURN(const ManagerLockSeen victim, LockAfter("DO 0", deadline));
  if (victim.holder == ManagerLockSeen::Holder::kOther) {
    const auto killed = Ask(KillManagerLockHolder(options_.lock_name), deadline);
    if (!killed && killed.error().number != kNoSuchThread) return killed.error();
  }
  std::string pause = "DO 0; ";
  while (true) {
    PHA_ASSIGN_OR_RETURN(const ManagerLockSeen lock,
                         LockAfter(pause + TakeManagerLock(options_.lock_name), deadline));
    if (locked_) return Ok();
    if (lock.connection != victim.connection) return HeldBy(lock);
    if (deadline.left() < Milliseconds(10)) {
      return Error{ErrorCode::kTimeout, HeldBy(lock).message +
                                            ", was told to end, and is still busy: the server has "
                                            "not ended its statement in the time allowed"};
    }
    pause = "DO SLEEP(0.002); ";
  }
}

Status SqlDatabaseNode::ReleaseLock(Deadline deadline) {
  PHA_TRY(NeedsLockName());
  NoteDescriptor();
  if (!session_) return Ok();  // the server freed it with the session
  locked_ = false;
  const auto released = Ask(ReleaseManagerLock(options_.lock_name), deadline);
  return released ? Ok() : Status(released.error());
}

// ---- Looking.
// --------------------------------------------------------------------------------------

Look SqlDatabaseNode::Observe(Deadline deadline) {
  Look look;
  auto state = AskState(deadline);
  NoteDescriptor();
  if (state) {
    look.contact = Contact::kAnswered;
    look.state = std::move(*state);
  } else {
    look.contact = ContactOf(state.error());
    look.error = state.error().message;
  }
  return look;
}

Result<DatabaseState> SqlDatabaseNode::AskState(Deadline deadline) {
  PHA_TRY(Ready(deadline));
  PHA_ASSIGN_OR_RETURN(const std::string table, HeartbeatTable(options_.schema));
  const Watched watched{table, options_.accounts};
  const bool with_lock = !options_.lock_name.empty();
  const std::string lock = with_lock ? AskManagerLock(options_.lock_name) + "; " : "";
  PHA_ASSIGN_OR_RETURN(ResultSets answers,
                       session_->QueryAll(lock + dialect_->Look(watched), deadline));
  ManagerLockSeen manager_lock;
  if (with_lock && !answers.tables.empty()) {
    PHA_ASSIGN_OR_RETURN(manager_lock, ReadLock(answers.tables.front(), deadline));
    answers.tables.erase(answers.tables.begin());
  }
  PHA_ASSIGN_OR_RETURN(DatabaseState state, dialect_->ReadLook(answers, watched));
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing,
                       dialect_->ReadReplica(answers.tables, Dialect::kReplicaInLook));
  if (standing.tail_unknown) {
    PHA_ASSIGN_OR_RETURN(const RelayTail tail, ReadRelayTail(*session_, standing, deadline));
    state.replication->received = state.executed.Union(tail.holds);
    state.replication->applied_all = tail.complete && !tail.first_unapplied;
  }
  state.manager_lock = manager_lock;
  state.tls_cipher = session_->tls_cipher();
  return state;
}

Result<ReplicaStanding> SqlDatabaseNode::Standing(Deadline deadline) {
  PHA_TRY(Ready(deadline));
  const auto answers = session_->QueryAll(dialect_->LookAtReplica(), deadline);
  NoteDescriptor();
  if (!answers) return answers.error();
  if (answers->stopped_by) return *answers->stopped_by;
  return dialect_->ReadReplica(answers->tables, 0);
}

// ---- Writes on and off.
// ----------------------------------------------------------------------------

Result<bool> SqlDatabaseNode::IsWritable(Deadline deadline) {
  PHA_TRY(Ready(deadline));
  PHA_ASSIGN_OR_RETURN(const ResultSets answers, Ask(dialect_->AskWritable(), deadline));
  if (answers.tables.front().empty()) {
    return Error{ErrorCode::kInternal, "the server at " + Where() + " did not tell its read_only"};
  }
  return dialect_->ReadWritable(RowReader(answers.tables.front(), 0));
}

Status SqlDatabaseNode::Close(Deadline deadline) {
  if (dialect_->can().version.flavor == Flavor::kMariaDb) {
    return Change(dialect_->CloseForClients(ServerShare(deadline)), deadline);
  }
  // MySQL's own limit counts whole seconds, for which every writer would queue behind us.
  PHA_ASSIGN_OR_RETURN(const auto limit,
                       StatementLimit::Begin(options_.session, session_->connection_id(),
                                             ServerShare(deadline), deadline));
  const Status done = Change(dialect_->CloseForClients(ServerShare(deadline)), deadline);
  // A KILL that came late meets this instead of the next statement.
  if (limit->Stop() && session_) [[maybe_unused]]
    const auto met = Ask("DO 0", deadline);
  return done;
}

Status SqlDatabaseNode::SetReadOnly(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const bool was_writable, IsWritable(deadline));
  const Status done = Close(deadline);
  if (done.ok() || done.error().code != ErrorCode::kConflict || !was_writable) return done;
  // MySQL closes in two steps; the limit may have come between them.
  PHA_ASSIGN_OR_RETURN(const bool still_writable, IsWritable(deadline));
  if (!still_writable) PHA_TRY(Change(dialect_->OpenForClients(), deadline));
  return done;
}

Status SqlDatabaseNode::OpenWritable(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  return Change(dialect_->OpenForClients(), deadline);
}

// ---- Who is in the way.
// -----------------------------------------------------------------------------

Result<std::set<std::string>> SqlDatabaseNode::LockedTables(Deadline deadline) {
  // A statement that ended between the two answers leaves its table unexplained for once, not
  // three times.
  std::set<std::string> locked;
  for (int round = 0; round < 3; ++round) {
    const std::string pause = round == 0 ? "DO 0" : "DO SLEEP(0.005)";
    PHA_ASSIGN_OR_RETURN(const ResultSets answers, Ask(pause + "; " + AskTablesInUse(), deadline));
    const auto now = TablesInUseUnexplained(answers.tables.at(1), answers.tables.at(2));
    if (round == 0) locked = now;
    std::erase_if(locked, [&](const std::string& table) { return !now.contains(table); });
    if (locked.empty()) break;
  }
  return locked;
}

Result<std::vector<Blocker>> SqlDatabaseNode::Blockers(Duration older_than, Deadline deadline) {
  PHA_TRY(Ready(deadline));
  PHA_ASSIGN_OR_RETURN(const ResultSets answers, Ask(AskBlockers(dialect_->can(), Us()), deadline));
  std::vector<Blocker> blockers = ReadBlockers(answers.tables.front());
  std::erase_if(blockers, [&](const Blocker& blocker) { return blocker.age < older_than; });
  if (dialect_->can().version.flavor != Flavor::kMariaDb) return blockers;
  PHA_ASSIGN_OR_RETURN(const auto tables, LockedTables(deadline));
  for (const std::string& table : tables) {
    Blocker unknown;
    unknown.kind = Blocker::Kind::kTableLock;
    unknown.statement = "LOCK TABLES on " + table;
    blockers.push_back(std::move(unknown));
  }
  return blockers;
}

Status SqlDatabaseNode::EndTransactions(const std::vector<Blocker>& blockers, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  std::vector<Blocker> ended;
  std::string refused;
  for (const Blocker& blocker : blockers) {
    const std::string name = "connection " + std::to_string(blocker.connection) + " of " +
                             blocker.user + "@" + blocker.host;
    if (blocker.connection == 0) {
      refused += "; which session does " + blocker.statement + " is not known";
      continue;
    }
    PHA_ASSIGN_OR_RETURN(const ResultSets answers,
                         Ask(AskBlocker(dialect_->can(), Us(), blocker), deadline));
    const std::vector<Blocker> now = ReadBlockers(answers.tables.front());
    if (now.empty()) continue;
    if (now.front().kind == Blocker::Kind::kCommit) {
      refused += "; " + name + " is committing, and ending it would make its row visible " +
                 "without an acknowledgement";
      continue;
    }
    const Status done = Change(EndBlocker(Us(), blocker), deadline);
    if (!done.ok() && done.error().number != kNoSuchThread) return done;
    if (done.ok()) ended.push_back(blocker);
  }
  while (!ended.empty()) {
    PHA_ASSIGN_OR_RETURN(const ResultSets answers, Ask(CountSessions(ended), deadline));
    if (RowReader(answers.tables.front(), 0).Number("sessions") == 0) break;
    PHA_TRY(Change("DO SLEEP(0.002)", deadline));
  }
  if (refused.empty()) return Ok();
  return Error{ErrorCode::kRefused, "not ended at " + Where() + ": " + refused.substr(2)};
}

// ---- Replication.
// ----------------------------------------------------------------------------------

Status SqlDatabaseNode::StopReceiving(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
  if (!standing.channel || standing.channel->io == ThreadState::kStopped) return Ok();
  return Change(dialect_->StopReceiver(), deadline);
}

Status SqlDatabaseNode::EnsureApplier(const ReplicaStanding& standing, Deadline deadline) {
  if (standing.channel->sql != ThreadState::kStopped) return Ok();
  RelayPlace from = standing.executed_to;
  if (standing.tail_unknown) {
    const auto tail = ReadRelayTail(*session_, standing, deadline);
    NoteDescriptor();
    if (!tail) return tail.error();
    if (!tail->first_unapplied) return Ok();
    from = *tail->first_unapplied;
  }
  const std::string alone = dialect_->StartApplierAlone(from);
  const bool both_stopped = standing.channel->io == ThreadState::kStopped;
  return Change(both_stopped && !alone.empty() ? alone : dialect_->StartApplier(), deadline);
}

Status SqlDatabaseNode::WaitUntilApplied(ReplicaStanding standing, Deadline deadline) {
  while (standing.channel && !standing.channel->applied_all) {
    if (standing.channel->sql_errno != 0) {
      return Error{ErrorCode::kRefused,
                   "the replica at " + Where() +
                       " cannot apply what it received: " + standing.channel->sql_error,
                   standing.channel->sql_errno};
    }
    if (deadline.passed()) {
      return Error{ErrorCode::kTimeout,
                   "the replica at " + Where() +
                       " has not applied everything it received in the time allowed"};
    }
    // In slices, because an applier that stops on an error does not end the server's wait.
    const auto slice = std::min(kLongestServerWait, ServerShare(deadline));
    // A relay log whose transactions are not known by name can only be asked about again.
    const bool named = !standing.executed.Contains(standing.channel->received);
    const auto waited = Ask(
        named ? dialect_->WaitForExecuted(standing.channel->received, slice) : "DO SLEEP(0.005)",
        deadline);
    if (!waited) return waited.error();
    PHA_ASSIGN_OR_RETURN(standing, Standing(deadline));
  }
  return Ok();
}

Status SqlDatabaseNode::AwaitExecuted(const GtidSet& wanted, Deadline deadline) {
  std::string pause;
  while (true) {
    PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
    if (standing.executed.Contains(wanted)) return Ok();
    if (standing.channel && standing.channel->sql_errno != 0) {
      return Error{ErrorCode::kRefused,
                   "the replica at " + Where() +
                       " cannot apply what it received: " + standing.channel->sql_error,
                   standing.channel->sql_errno};
    }
    if (deadline.left() < Milliseconds(2)) {
      return Error{ErrorCode::kTimeout,
                   "the server at " + Where() + " has not executed all that was waited for"};
    }
    // In slices, because an applier that stops on an error does not end the server's wait. MariaDB
    // ends it at once when only another server of the domain is further: hence the pause.
    const auto slice = std::min(kLongestServerWait, ServerShare(deadline));
    const auto waited = Ask(pause + dialect_->WaitForExecuted(wanted, slice), deadline);
    if (!waited) return waited.error();
    pause = "DO SLEEP(0.001); ";
  }
}

Status SqlDatabaseNode::ApplyReceived(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
  if (!standing.channel || standing.channel->applied_all) return Ok();
  PHA_TRY(EnsureApplier(standing, deadline));
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding now, Standing(deadline));
  // Still the state after a restart: the relay log was read and holds nothing new.
  if (now.tail_unknown) return Ok();
  return WaitUntilApplied(now, deadline);
}

Status SqlDatabaseNode::LeaveReplication(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  return Change(dialect_->Forget(), deadline);
}

Result<std::optional<std::string>> SqlDatabaseNode::CaFileForReplication(Deadline deadline) {
  if (!options_.session.tls.enabled) return std::optional<std::string>();
  PHA_ASSIGN_OR_RETURN(const Rows rows, session_->Query("SELECT @@global.ssl_ca AS ca", deadline));
  const std::string ca = RowReader(rows, 0).Text("ca");
  if (ca.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "the server at " + Where() +
                     " has no ssl_ca and cannot verify the server it is to follow: configure one"};
  }
  return std::optional<std::string>(ca);
}

Status SqlDatabaseNode::ReplicateFrom(const Address& source, const Account& account,
                                      const Secret& password, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(ReplicaStanding standing, Standing(deadline));
  if (standing.channel && standing.channel->source == source) {
    const ReplicationSeen& channel = *standing.channel;
    const bool receiving = channel.io != ThreadState::kStopped;
    const bool applying = channel.sql != ThreadState::kStopped;
    if (channel.io == ThreadState::kRunning && applying && standing.by_gtid) return Ok();
    // One thread is enough to keep the relay log; the other is simply started.
    if (receiving && !applying) return Change(dialect_->StartApplier(), deadline);
    if (!channel.applied_all) {
      PHA_TRY(EnsureApplier(standing, deadline));
      if (standing.by_gtid && applying) return Change(dialect_->StartReceiver(), deadline);
      PHA_TRY(ApplyReceived(deadline));
      PHA_ASSIGN_OR_RETURN(standing, Standing(deadline));
    }
  }
  PHA_ASSIGN_OR_RETURN(const auto ca_file, CaFileForReplication(deadline));
  const SourceToFollow follow{source, account.user, password, ca_file};
  return ChangeSecret(dialect_->Follow(follow, standing.executed), deadline);
}

// ---- Semi-synchronous replication.
// -----------------------------------------------------------------

Status SqlDatabaseNode::RefuseWhileCommitsWait(Deadline deadline) {
  const auto rows = session_->Query(dialect_->CommitsWaiting(), deadline);
  NoteDescriptor();
  if (!rows) return rows.error();
  if (rows->empty() || RowReader(*rows, 0).Number("waiting").value_or(0) == 0) return Ok();
  return Error{
      ErrorCode::kRefused,
      "the server at " + Where() +
          " has commits that wait for an acknowledgement; switching semi-sync off would commit "
          "them unacknowledged: fence the server instead"};
}

Status SqlDatabaseNode::RestartReceiverForSemiSync(Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(const DatabaseState state, AskState(deadline));
  NoteDescriptor();
  if (!state.replication || state.semi_sync.replica_active) return Ok();
  // A stopped receiver takes the new role when it starts. With the applier stopped too, MariaDB
  // would throw the relay log away.
  const bool both_on = state.replication->io != ThreadState::kStopped &&
                       state.replication->sql != ThreadState::kStopped;
  if (!both_on) return Ok();
  return Change(dialect_->StopReceiver() + "; " + dialect_->StartReceiver(), deadline);
}

Status SqlDatabaseNode::SetSemiSync(SemiSyncRole role, Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  const std::string sql = dialect_->SemiSync(role);
  const bool source = role == SemiSyncRole::kSource || role == SemiSyncRole::kSourceDegraded;
  if (sql.empty() && role != SemiSyncRole::kSource && role != SemiSyncRole::kReplica) return Ok();
  if (sql.empty()) {
    return Error{
        ErrorCode::kUnsupported,
        "the server at " + Where() +
            " has no semi-sync plugin loaded: add semisync_source.so and semisync_replica.so "
            "to its plugin-load-add"};
  }
  if (!source) PHA_TRY(RefuseWhileCommitsWait(deadline));
  PHA_TRY(Change(sql, deadline));
  return role == SemiSyncRole::kReplica ? RestartReceiverForSemiSync(deadline) : Ok();
}

// ---- The marker row.
// -------------------------------------------------------------------------------

Status SqlDatabaseNode::WriteMarker(Epoch epoch, const NodeName& writer, WallTime now,
                                    Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const std::string table, HeartbeatTable(options_.schema));
  if (!marker_session_ || marker_session_->broken()) {
    PHA_ASSIGN_OR_RETURN(marker_session_, Session::Connect(options_.session, deadline));
  }
  const std::string number = std::to_string(epoch.number);
  const std::string name = QuoteLiteral(writer.text);
  const std::string written = std::to_string(now.time_since_epoch().count());
  PHA_ASSIGN_OR_RETURN(
      const Rows updated,
      marker_session_->Query("UPDATE " + table + " SET epoch=" + number + ", writer=" + name +
                                 ", written_at_ms=" + written + " WHERE id=1 AND epoch<=" + number,
                             deadline));
  if (updated.matched > 0) return Ok();
  PHA_ASSIGN_OR_RETURN(
      const Rows inserted,
      marker_session_->Query("INSERT IGNORE INTO " + table +
                                 " (id, epoch, writer, written_at_ms) VALUES (1, " + number + ", " +
                                 name + ", " + written + ")",
                             deadline));
  if (inserted.matched > 0) return Ok();
  return Error{ErrorCode::kConflict, "the marker row at " + Where() +
                                         " already has an epoch above " + number +
                                         ": another manager promoted a primary since"};
}

// ---- Provisioning.
// ---------------------------------------------------------------------------------

Status SqlDatabaseNode::ProvisionUnlocked(const ClusterSpec& spec,
                                          const ResolvedCredentials& passwords, Deadline deadline) {
  bool native_password = false;
  if (dialect_->can().version.flavor == Flavor::kMySql) {
    PHA_ASSIGN_OR_RETURN(
        const Rows rows,
        session_->Query("SELECT 1 FROM information_schema.PLUGINS WHERE "
                        "PLUGIN_NAME='mysql_native_password' AND PLUGIN_STATUS='ACTIVE'",
                        deadline));
    native_password = !rows.empty();
  }
  PHA_ASSIGN_OR_RETURN(const std::string sql,
                       ProvisionStatements(*dialect_, spec, passwords, native_password));
  return ChangeSecret(sql, deadline);
}

Status SqlDatabaseNode::Provision(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                                  Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  // MySQL's super_read_only stops administrators too. read_only stays on, so clients stay out.
  bool locked = false;
  if (dialect_->can().version.flavor == Flavor::kMySql) {
    PHA_ASSIGN_OR_RETURN(const Rows rows,
                         session_->Query("SELECT @@global.super_read_only AS locked", deadline));
    locked = RowReader(rows, 0).True("locked");
  }
  if (locked) PHA_TRY(Change("SET GLOBAL super_read_only=0", deadline));
  Status done = ProvisionUnlocked(spec, passwords, deadline);
  NoteDescriptor();
  if (locked) {
    const Status relocked = Change("SET GLOBAL super_read_only=1", deadline);
    if (done) done = relocked;
  }
  return done;
}

}  // namespace

DatabaseNodeOptions DatabaseNodeOptionsFor(const ClusterSpec& spec, const DatabaseNodeSpec& node,
                                           const ResolvedCredentials& passwords) {
  const Credentials& declared = spec.database.credentials;
  DatabaseNodeOptions options;
  options.session = {
      {node.address, spec.database.port}, declared.admin.user, passwords.admin, spec.database.tls};
  options.schema = spec.database.schema;
  for (const std::string& user : {declared.replication.user, declared.application.user}) {
    const bool listed = std::count(options.accounts.begin(), options.accounts.end(), user) > 0;
    if (!user.empty() && !listed) options.accounts.push_back(user);
  }
  return options;
}

DatabaseNodeOptions WithManagerLock(DatabaseNodeOptions options, const ClusterSpec& spec) {
  options.lock_name = ManagerLockName(spec.name);
  options.wait_timeout = std::max(kShortestSessionTimeout,
                                  std::chrono::ceil<Seconds>(2 * spec.database.detection.Budget()));
  return options;
}

std::unique_ptr<DatabaseNode> MakeDatabaseNode(DatabaseNodeOptions options) {
  return std::make_unique<SqlDatabaseNode>(std::move(options));
}

}  // namespace pandora_ha
