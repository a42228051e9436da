// The manager's lock, and closing and opening a server for clients.
#include "reconciler/mysql/manager_lock.h"
#include "reconciler/mysql/sql_database_node.h"
#include "reconciler/mysql/statement_limit.h"

namespace pandora_ha {
namespace {

constexpr int kNoSuchThread = 1094;

}  // namespace

// ---- The manager's lock. ----

Status SqlDatabaseNode::NeedsLockName() const {
  if (!options_.lock_name.empty()) return Ok();
  return Error{ErrorCode::kUnsupported, "no lock is configured for " + Where()};
}

Error SqlDatabaseNode::HeldBy(const ManagerLockSeen& lock) const {
  if (lock.holder == ManagerLockSeen::Holder::kNobody) {
    return {ErrorCode::kConflict, "the lock " + options_.lock_name + " at " + Where() +
                                      " was held until just now by a connection that is gone"};
  }
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
    // The victim may let go between our asking for the lock and our asking who has it.
    const bool by_another =
        lock.holder == ManagerLockSeen::Holder::kOther && lock.connection != victim.connection;
    if (by_another) return HeldBy(lock);
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

// ---- Writes on and off. ----

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

// ---- Who is in the way. ----

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
    if (deadline.left() < Milliseconds(10)) {
      return Error{ErrorCode::kTimeout, "sessions that were told to end at " + Where() +
                                            " have not ended in the time allowed: their "
                                            "transactions are rolled back"};
    }
    PHA_TRY(Change("DO SLEEP(0.002)", deadline));
  }
  if (refused.empty()) return Ok();
  return Error{ErrorCode::kRefused, "not ended at " + Where() + ": " + refused.substr(2)};
}

}  // namespace pandora_ha
