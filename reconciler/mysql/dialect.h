// Statements and the reading of their answers, per family and version of server. Pure: text in,
// text and values out; the session is elsewhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/mysql/capabilities.h"
#include "reconciler/mysql/relay_page.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

// What one look asks for by name.
struct Watched {
  std::string heartbeat_table;        // quoted: `schema`.`pandora_ha_heartbeat`
  std::string guards_table;           // quoted, beside it
  std::vector<std::string> accounts;  // that must exist, for any host
};

// A source to follow.
struct SourceToFollow {
  Address address;
  std::string user;
  Secret password;
  std::optional<std::string> ca_file;  // on the replica's machine; set: verified TLS
};

// How a replica stands, with what only this folder needs beside what the model keeps.
struct ReplicaStanding {
  GtidSet executed;
  std::optional<ReplicationSeen> channel;
  // MariaDB: up to where the relay log is executed, or from where on to look: a crash leaves an old
  // place behind.
  RelayPlace executed_to;
  // MariaDB, after a restart: the relay log may hold events that the status does not name; only
  // reading it (relay_tail.h) tells.
  bool tail_unknown = false;
  // MariaDB: the channel reads by GTID. MySQL: auto-position.
  bool by_gtid = false;
};

struct StatusValues;

class Dialect {
 public:
  virtual ~Dialect() = default;
  const Capabilities& can() const { return can_; }

  // The statements of one look, and their answers. The rows of our tables are the last, and one of
  // them may be the one that failed.
  virtual std::string Look(const Watched& watched) const = 0;
  virtual Result<DatabaseState> ReadLook(const ResultSets& answers,
                                         const Watched& watched) const = 0;
  // Where in a look's tables those of LookAtReplica() begin.
  static constexpr std::size_t kReplicaInLook = 2;

  // The executed set first and then the channel: what arrives between the two counts as not yet
  // executed, never the other way round.
  virtual std::string LookAtReplica() const = 0;
  virtual Result<ReplicaStanding> ReadReplica(const std::vector<Rows>& tables,
                                              std::size_t first) const = 0;

  // Clients may write: one row for ReadWritable(), which also reads the look's first table.
  virtual std::string AskWritable() const = 0;
  virtual bool ReadWritable(const RowReader& row) const = 0;

  // The marker writes of `admin` and all who wait for a replica, as `ours`, `for_replica`,
  // `commits` (1 or 0) and `doing`. Opens no file, which a disk that stalls would hold up.
  virtual std::string AskAfterMarker(const std::string& admin) const = 0;

  virtual std::string CloseForClients(Milliseconds within) const = 0;
  virtual std::string OpenForClients() const = 0;
  virtual std::string StopReceiver() const = 0;
  virtual std::string StopApplier() const = 0;
  virtual std::string StartReceiver() const = 0;
  virtual std::string StartApplier() const = 0;
  virtual std::string StartBoth() const = 0;
  // Waits, in the server, until `received` is executed; for `most` at most.
  virtual std::string WaitForExecuted(const GtidSet& received, Milliseconds most) const = 0;
  // Empty where starting the applier alone keeps the relay log. On MariaDB a START SLAVE of any
  // kind with both threads stopped throws the relay log of a GTID channel away; these statements
  // run it by file position instead.
  virtual std::string StartApplierAlone(const RelayPlace& from) const = 0;
  // The threads (`id`, for KILL) that apply a transaction whose rest was not received and will not
  // be: everything else is executed and nothing is received any more. Empty where stopping the
  // applier does not wait for the rest.
  virtual std::string WhoAppliesAPart() const = 0;
  virtual std::string Forget() const = 0;
  // Holds a password. `executed`: all of it, asked while the applier stands still.
  virtual std::string Follow(const SourceToFollow& source, const GtidSet& executed) const = 0;

  // Empty: the server lacks what the role needs and there is nothing to switch off either.
  virtual std::string SemiSync(SemiSyncRole role) const = 0;
  // Executes one transaction, by its name, as an empty one. Empty where a server cannot.
  virtual std::string InjectEmpty(const std::string& gtid) const = 0;
  // One row with a number: commits that wait for an acknowledgement now.
  virtual std::string CommitsWaiting() const = 0;

  // What follows CREATE USER … IDENTIFIED.
  virtual std::string PasswordClause(const Secret& password, bool native_password) const = 0;

 protected:
  explicit Dialect(Capabilities can) : can_(std::move(can)) {}
  // What both looks select under the same names; `source` and `replica` are the prefixes of the
  // semi-sync variables. Left out: server_uuid, writable, run_id, gtid_on, and the last tables.
  DatabaseState ReadCommonState(const RowReader& row, const StatusValues& status,
                                const ReplicaStanding& standing, const std::string& source,
                                const std::string& replica) const;
  const Capabilities can_;
};

std::unique_ptr<Dialect> MakeDialect(const Capabilities& can);
std::unique_ptr<Dialect> MakeMySqlDialect(const Capabilities& can);
std::unique_ptr<Dialect> MakeMariaDbDialect(const Capabilities& can);

// The last transaction of each domain, which is what MariaDB calls a position: "0-2-17".
std::string MariaDbPosition(const GtidSet& set);

// ---- For the two dialects. ----

// Milliseconds of a semi-sync timeout that never comes: ten years. The type's own maximum overflows
// when the servers turn it into a point in time.
inline constexpr char kSemiSyncNever[] = "315360000000";
inline constexpr int kNetTimeoutSeconds = 10;

struct StatusValues {
  std::string started;  // the server's start in seconds of its own wall clock: names its run
  Rows rows;            // name, value

  std::optional<std::string> Get(std::string_view name) const;
  int Number(std::string_view name) const;  // 0 when missing
  bool On(std::string_view name) const;
};

// SELECTs the named status variables from `table`, with what StatusValues needs.
std::string StatusQuery(const std::string& table, const std::vector<std::string>& names);
Result<StatusValues> ReadStatus(const Rows& rows);

// The tail that both looks share: heartbeat and guards row (or their absence) and `provisioned`.
// `at_once` goes before a row's SELECT and keeps it from waiting for a locked table.
std::string AccountsAndRowsQuery(const std::string& user_table, const std::string& at_once,
                                 const Watched& watched);
Status ReadAccountsAndRows(const ResultSets& answers, std::size_t first, const Watched& watched,
                           DatabaseState* state);

// What both families say in the same columns: `source` and `replica` are the family's words for the
// two sides ("Master", "Slave"). Received set and arrival token stay empty.
ReplicationSeen ReadChannelIn(const RowReader& row, const std::string& source,
                              const std::string& replica);

// AskAfterMarker() from a list of sessions with columns of these names.
struct SessionColumns {
  std::string table, id, user, state, info;
};
std::string MarkersIn(const SessionColumns& sessions, const std::string& admin);

ThreadState ReadThread(const std::string& running);
// None unless both threads run: MySQL reports 0 for a replica that has lost its source and applied
// what it had.
std::optional<Seconds> ReadLag(std::optional<std::int64_t> reported, ThreadState io,
                               ThreadState sql);
// "1.250"
std::string SecondsText(Milliseconds time);

}  // namespace pandora_ha
