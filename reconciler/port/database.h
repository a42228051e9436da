// One database server, in words of the domain. SQL stays behind it.
#pragma once

#include <functional>

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

// All calls block until their deadline at the latest. One thread at a time per object, except for
// WatchDescriptor(). A call that runs out of time gives ErrorCode::kTimeout: the outcome is
// unknown, and the object opens a new connection for the next call.
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

  virtual Status SetReadOnly(Deadline deadline) = 0;
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
  // Writes the heartbeat row; the server must be writable. With semi-sync and no acknowledger this
  // blocks, hence a connection of its own and a deadline.
  virtual Status WriteMarker(Epoch epoch, const NodeName& writer, WallTime now,
                             Deadline deadline) = 0;
  // Creates schema, heartbeat table and accounts that are missing; existing ones are left alone
  // except that their passwords and grants are brought to what is declared.
  virtual Status Provision(const ClusterSpec& spec, const ResolvedCredentials& passwords,
                           Deadline deadline) = 0;
};

}  // namespace pandora_ha
