#include "reconciler/mysql/database_node.h"

#include <algorithm>

#include "reconciler/model/json.h"
#include "reconciler/mysql/contact.h"
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/mysql/provision.h"
#include "reconciler/mysql/quote.h"
#include "reconciler/mysql/relay_tail.h"
#include "reconciler/mysql/sql_database_node.h"

namespace pandora_ha {
namespace {

constexpr Seconds kShortestSessionTimeout{5};

// MariaDB answers a new source with it, MySQL the start of its threads.
bool IsUnreadableChannel(int error) {
  return error == 1201 || error == 1872;
}

}  // namespace

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

// ---- Looking. ----

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
  PHA_ASSIGN_OR_RETURN(const std::string guards, GuardsTable(options_.schema));
  const Watched watched{table, guards, options_.accounts};
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
  if (locked_) {
    last_holder_ = session_->connection_id();
    run_of_last_holder_ = state.run_id;
  } else if (manager_lock.holder == ManagerLockSeen::Holder::kOther &&
             manager_lock.connection == last_holder_ && state.run_id == run_of_last_holder_) {
    manager_lock.holder = ManagerLockSeen::Holder::kOursBefore;
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

// ---- Replication. ----

Status SqlDatabaseNode::StopReceiving(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_ASSIGN_OR_RETURN(const ReplicaStanding standing, Standing(deadline));
  if (!standing.channel || standing.channel->io == ThreadState::kStopped) return Ok();
  return Change(dialect_->StopReceiver(), deadline);
}

// Measured with MySQL 9.7: its applier, told to stop within a transaction, waits a minute for the
// rest, which a dead source does not send. The part is rolled back.
Status SqlDatabaseNode::EndPartOfTransaction(Deadline deadline) {
  const std::string sql = dialect_->WhoAppliesAPart();
  if (sql.empty()) return Ok();
  PHA_ASSIGN_OR_RETURN(const ResultSets answers, Ask(sql, deadline));
  const Rows& rows = answers.tables.front();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // It may have ended by itself.
    const auto killed = Ask("KILL " + RowReader(rows, i).Text("id"), deadline);
    if (!killed && session_ == nullptr) return killed.error();
  }
  return Ok();
}

Status SqlDatabaseNode::LeaveReplication(Deadline deadline) {
  PHA_TRY(MayChange());
  PHA_TRY(Ready(deadline));
  PHA_TRY(EndPartOfTransaction(deadline));
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

// A server that was killed while it forgot a source has an index that still names relay logs which
// are gone. It forgets once more, and what these logs held is received again.
Status SqlDatabaseNode::ReplicateFrom(const Address& source, const Account& account,
                                      const Secret& password, Deadline deadline) {
  PHA_TRY(MayChange());
  const Status followed = Follow(source, account, password, deadline);
  if (followed.ok() || !IsUnreadableChannel(followed.error().number)) return followed;
  PHA_TRY(Change(dialect_->Forget(), deadline));
  return Follow(source, account, password, deadline);
}

Status SqlDatabaseNode::Follow(const Address& source, const Account& account,
                               const Secret& password, Deadline deadline) {
  PHA_ASSIGN_OR_RETURN(ReplicaStanding standing, Standing(deadline));
  if (standing.channel && standing.channel->source == source) {
    const ReplicationSeen& channel = *standing.channel;
    const bool receiving = channel.io != ThreadState::kStopped;
    const bool applying = channel.sql != ThreadState::kStopped;
    if (channel.io == ThreadState::kRunning && applying && standing.by_gtid) return Ok();
    // One thread is enough to keep the relay log; the other is simply started.
    if (receiving && !applying) return Change(dialect_->StartApplier(), deadline);
    // An applier that is stopped within a transaction whose rest was not received waits a minute
    // for it (MySQL, with workers).
    if (!receiving && applying && channel.io_errno == 0 && standing.by_gtid)
      return Change(dialect_->StartReceiver(), deadline);
    if (!channel.applied_all) {
      PHA_TRY(EnsureApplier(standing, deadline));
      if (standing.by_gtid && applying) return Change(dialect_->StartReceiver(), deadline);
      PHA_TRY(ApplyReceived(deadline));
      PHA_ASSIGN_OR_RETURN(standing, Standing(deadline));
    }
  }
  PHA_ASSIGN_OR_RETURN(const auto ca_file, CaFileForReplication(deadline));
  if (standing.channel && standing.channel->sql != ThreadState::kStopped) {
    PHA_TRY(EndPartOfTransaction(deadline));
    // What it executes after the question, MariaDB would receive and execute once more.
    PHA_TRY(Change(dialect_->StopApplier(), deadline));
    PHA_ASSIGN_OR_RETURN(standing, Standing(deadline));
  }
  return ChangeSecret(
      dialect_->Follow({source, account.user, password, ca_file}, standing.executed), deadline);
}

// ---- Semi-synchronous replication. ----

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

// ---- Provisioning. ----

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
