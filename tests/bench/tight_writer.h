// A client that writes rows one after the other, as fast as they are acknowledged, and connects
// again at once when its connection breaks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha::bench {

inline constexpr char kTable[] = "`pandora`.`failover_bench`";

class TightWriter {
 public:
  using Connect = std::function<Result<std::unique_ptr<Session>>(Deadline)>;

  // Writes `first_id` and on into kTable, which must be there, until Stop().
  TightWriter(Connect connect, std::uint64_t first_id);
  ~TightWriter() { Stop(); }
  void Stop();

  std::uint64_t acknowledged() const { return acknowledged_; }
  // The first acknowledgement over another connection than the first one; the clock's epoch before.
  TimePoint back_at() const { return back_at_; }
  // The first statement that failed.
  TimePoint cut_at() const { return cut_at_; }
  // When the connection over which it came back was ready.
  TimePoint connected_at() const { return connected_at_; }
  // REQUIRES: stopped.
  const std::vector<std::uint64_t>& ids() const { return ids_; }

 private:
  void Loop(const std::stop_token& stop);

  const Connect connect_;
  std::uint64_t id_;
  std::vector<std::uint64_t> ids_;
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<TimePoint> back_at_{TimePoint{}}, cut_at_{TimePoint{}}, connected_at_{TimePoint{}};
  std::jthread thread_;
};

}  // namespace pandora_ha::bench
