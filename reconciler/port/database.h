// One database server, in words of the domain. SQL stays behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// The passwords that the document's credentials point to.
struct ResolvedCredentials {
  Secret admin, replication, application;
};

// What one look at a server gave: either a state, or how the contact failed.
struct Look {
  Contact contact = Contact::kNeverTried;
  std::string error;                   // empty when answered
  std::optional<DatabaseState> state;  // set exactly when contact is kAnswered
};

// A session in the way of closing a server for clients.
struct Blocker {
  enum class Kind {
    kStatement,    // runs a change, or waits for a lock to run it
    kTableLock,    // idles with LOCK TABLES
    kCommit,       // is committing; perhaps it waits for an acknowledgement, and must not be ended
    kTransaction,  // idles in a transaction: holds nothing up, but closing makes its COMMIT fail
  };
  Kind kind = Kind::kStatement;
  // The server's number, and "host:port" as the server prints it, which tells a reused number
  // apart. 0: the server does not tell which session it is (LOCK TABLES on MariaDB); then user and
  // host are empty, the age is 0, and only the statement's place says what is locked.
  std::uint64_t connection = 0;
  std::string user, host;
  Duration age{};         // at least; of the transaction, else of the statement or idleness
  std::string statement;  // its first 80 characters; empty while idle; never a password

  bool HoldsUp() const { return kind != Kind::kTransaction; }
  bool operator==(const Blocker&) const = default;
};

// Where a marker write stands at its server.
struct MarkerStanding {
  bool pending = false;    // one of a manager is still there
  bool in_commit = false;  // and what it waits for is neither a lock nor an acknowledgement
  std::string doing;       // in the server's words: "Commit"
};

// All calls block until their deadline at the latest. One thread at a time per object, except for
// WatchDescriptor(). A call that runs out of time gives ErrorCode::kTimeout: the outcome is
// unknown, and the object opens a new connection for the next call.
//
// An implementation may be told to hold a lock on the server (the manager's lock). Then every call
// below the line "Changes" is refused with kConflict unless the lock was taken on the connection
// that the call uses and is still there; nothing reaches the server.
class DatabaseNode {
 public:
  virtual ~DatabaseNode() = default;

  // Asks the server everything that DatabaseState holds, in as few round trips as it takes.
  // Connects when there is no connection.
  virtual Look Observe(Deadline deadline) = 0;

  // The idle connection's socket, for poll(POLLRDHUP): a server that dies hangs up at once. -1:
  // none.
  virtual int WatchDescriptor() const = 0;
  // Drops the connection; the next call connects anew.
  virtual void Disconnect() = 0;

  // Whether clients may write, in one small question.
  virtual Result<bool> IsWritable(Deadline deadline) = 0;
  // The sessions that SetReadOnly() would wait for or hurt, and that are at least `older_than` old,
  // oldest first. Not among them: replication, the server's own, and managers.
  virtual Result<std::vector<Blocker>> Blockers(Duration older_than, Deadline deadline) = 0;
  // Done when the server has executed all of `wanted`. kTimeout: not yet. kRefused: its applier
  // stopped on an error.
  virtual Status AwaitExecuted(const GtidSet& wanted, Deadline deadline) = 0;

  // What became of a WriteMarker() that did not come back in time.
  virtual Result<MarkerStanding> AskAfterMarker(Deadline deadline) = 0;

  // ---- The manager's lock. kUnsupported when there is none to hold.

  // At once. kConflict, with the holder's name, when another session has it.
  virtual Status TakeLock(Deadline deadline) = 0;
  // Ends the session that has it, waits until what that session was doing is over, and takes it.
  // kConflict when a third one was quicker, kTimeout when it is not over by the deadline.
  virtual Status EvictHolder(Deadline deadline) = 0;
  virtual Status ReleaseLock(Deadline deadline) = 0;

  // ---- Changes.

  // Closes the server for clients, or gives up in time: kConflict when something held it up. Then
  // the server is as before and nothing waits in it that would close it later.
  virtual Status SetReadOnly(Deadline deadline) = 0;
  // Ends exactly these sessions, and waits until they are gone. One that has finished or moved on
  // since it was seen is left alone. kRefused when one of them is committing (the others are ended
  // all the same): its row would become visible without an acknowledgement.
  virtual Status EndTransactions(const std::vector<Blocker>& blockers, Deadline deadline) = 0;
  virtual Status OpenWritable(Deadline deadline) = 0;
  virtual Status StopReceiving(Deadline deadline) = 0;
  // Starts the applier when it is stopped without an error. Done when everything received has been
  // executed; kTimeout when the deadline came first.
  virtual Status ApplyReceived(Deadline deadline) = 0;
  virtual Status LeaveReplication(Deadline deadline) = 0;
  // Points the replica at `source` by GTID auto-position and starts both threads. Does nothing when
  // it already follows that source with both threads running. Never discards a relay log that holds
  // events not executed yet of the same source.
  virtual Status ReplicateFrom(const Address& source, const Account& account,
                               const Secret& password, Deadline deadline) = 0;
  virtual Status SetSemiSync(SemiSyncRole role, Deadline deadline) = 0;
  // Executes `transactions` as empty ones, those that the server has executed excepted: they count
  // as executed here and on its replicas. kUnsupported on MariaDB, whose histories have no room for
  // them.
  virtual Status InjectEmpty(const GtidSet& transactions, Deadline deadline) = 0;
  // Writes the heartbeat row; the server must be writable. With semi-sync and no acknowledger this
  // blocks, hence a connection of its own and a deadline.
  virtual Status WriteMarker(Epoch epoch, const NodeName& writer, WallTime now,
                             Deadline deadline) = 0;
  // Writes the guards row, where the server is open, has no later copy, and knows no epoch above
  // `epoch`; all of it one statement, with the question whether the connection `holder` still holds
  // the manager's lock there (0: none is asked for). kConflict: one of these does not hold.
  virtual Status WriteGuards(const GuardsCopy& copy, Epoch epoch, std::uint64_t holder,
                             Deadline deadline) = 0;
  // Creates schema, our tables and accounts that are missing; existing ones are left alone
  // except that their passwords and grants are brought to what is declared.
  virtual Status Provision(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                           Deadline deadline) = 0;
};

}  // namespace pandora_ha
