// A client of the writer endpoint that writes rows one after the other, keeps every
// acknowledgement, and counts by kind what went wrong as an application would see it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

inline constexpr char kTrialTable[] = "`pandora`.`trial`";

// The table, for whoever may make it. The cluster must have a primary.
std::string CreateTrialTable();

struct ClientWriterOptions {
  SessionOptions to;
  bool connect_each = false;  // a connection for each row, as PHP pages have; else one that is kept
  Duration pause{};           // between two rows
  std::uint64_t first_id = 1;
};

struct ClientWriterCount {
  std::uint64_t acknowledged = 0;
  std::uint64_t cut = 0;          // the connection broke under a statement: its outcome is unknown
  std::uint64_t refused = 0;      // the server answered a statement with an error
  std::uint64_t unconnected = 0;  // no connection came about
  std::string last_error;

  std::uint64_t errors() const { return cut + refused + unconnected; }
};

// Writes from its construction to Stop(), on a thread of its own.
class ClientWriter {
 public:
  explicit ClientWriter(ClientWriterOptions options);
  ~ClientWriter() { Stop(); }
  void Stop();

  ClientWriterCount Count() const;
  // The longest time between two acknowledgements that overlaps [from, now]. Zero: fewer than two.
  Duration LongestPauseSince(TimePoint from) const;
  // Every id that was tried is in [first, last].
  std::uint64_t first_id() const { return options_.first_id; }
  std::uint64_t last_id() const { return id_; }
  // Ids that were acknowledged. REQUIRES: stopped.
  const std::vector<std::uint64_t>& ids() const { return ids_; }

 private:
  void Loop(const std::stop_token& stop);
  void Fail(std::uint64_t ClientWriterCount::*kind, const Error& error);

  const ClientWriterOptions options_;
  std::atomic<std::uint64_t> id_;
  mutable std::mutex mutex_;
  ClientWriterCount count_;
  std::vector<std::uint64_t> ids_;
  std::vector<TimePoint> acknowledged_at_;
  std::jthread thread_;
};

// The rows that the writer tried to write; how many acknowledged ones are not among them.
// REQUIRES: stopped.
std::string SelectTrialRows(const ClientWriter& writer);
std::uint64_t CountMissing(const ClientWriter& writer, const Rows& rows);

}  // namespace pandora_ha
