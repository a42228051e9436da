#include "tests/bench/floor.h"

#include <poll.h>

#include "tests/bench/tight_writer.h"

namespace pandora_ha::bench {

TimePoint WaitForBreak(int socket, Deadline deadline) {
  pollfd wait{socket, POLLRDHUP, 0};
  while (poll(&wait, 1, deadline.poll_milliseconds()) <= 0) {
    if (deadline.passed()) return {};
  }
  return SystemClock().Now().mono;
}

bool AppliedAll(Flavor flavor, Session& replica, Deadline deadline) {
  if (flavor == Flavor::kMySql) {
    const auto rows = replica.Query(
        "SELECT GTID_SUBSET(RECEIVED_TRANSACTION_SET, @@global.gtid_executed) AS all_of_it FROM "
        "performance_schema.replication_connection_status",
        deadline);
    return rows.ok() && !rows->empty() && RowReader(*rows, 0).True("all_of_it");
  }
  const auto channel = replica.Query("SHOW SLAVE STATUS", deadline);
  const auto applied = replica.Query("SELECT @@global.gtid_slave_pos AS position", deadline);
  return channel.ok() && applied.ok() && !channel->empty() &&
         RowReader(*channel, 0).Text("Gtid_IO_Pos") == RowReader(*applied, 0).Text("position");
}

Result<Floor> Floor::Connect(Flavor flavor, const SessionOptions& primary,
                             const SessionOptions& replica, Deadline deadline) {
  Floor floor;
  floor.flavor_ = flavor;
  PHA_ASSIGN_OR_RETURN(floor.primary_, Session::Connect(primary, deadline));
  PHA_ASSIGN_OR_RETURN(floor.replica_, Session::Connect(replica, deadline));
  return floor;
}

Result<std::string> Floor::Received(Deadline deadline) {
  const bool mysql = flavor_ == Flavor::kMySql;
  PHA_ASSIGN_OR_RETURN(const Rows rows,
                       replica_->Query(mysql ? "SELECT RECEIVED_TRANSACTION_SET AS received FROM "
                                               "performance_schema.replication_connection_status"
                                             : "SHOW SLAVE STATUS",
                                       deadline));
  if (rows.empty()) return Error{ErrorCode::kInternal, "the replica is none"};
  return RowReader(rows, 0).Text(mysql ? "received" : "Gtid_IO_Pos");
}

Result<FloorTimes> Floor::Run(std::uint64_t id, Deadline deadline) {
  const bool mysql = flavor_ == Flavor::kMySql;
  const auto now = [] { return SystemClock().Now().mono; };
  FloorTimes times;
  times.broken = WaitForBreak(primary_->descriptor(), deadline);
  PHA_TRY(replica_->Execute(mysql ? "STOP REPLICA IO_THREAD" : "STOP SLAVE IO_THREAD", deadline));
  times.stopped = now();
  PHA_ASSIGN_OR_RETURN(const std::string received, Received(deadline));
  PHA_TRY(replica_->Execute(
      (mysql ? "SELECT WAIT_FOR_EXECUTED_GTID_SET('" : "SELECT MASTER_GTID_WAIT('") + received +
          "', 5)",
      deadline));
  times.applied = now();
  PHA_TRY(replica_->Execute(
      mysql ? "STOP REPLICA; RESET REPLICA ALL" : "STOP SLAVE; RESET SLAVE ALL", deadline));
  times.left = now();
  PHA_TRY(replica_->Execute(
      mysql ? "SET GLOBAL super_read_only=0; SET GLOBAL read_only=0" : "SET GLOBAL read_only=0",
      deadline));
  times.opened = now();
  PHA_TRY(replica_->Execute(
      std::string("INSERT INTO ") + kTable + " VALUES (" + std::to_string(id) + ")", deadline));
  times.written = now();
  return times;
}

}  // namespace pandora_ha::bench
