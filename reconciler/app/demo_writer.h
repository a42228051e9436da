// The small application of the demonstration: it writes rows through the writer endpoint and keeps
// count, so that a person can see what a failover costs and that nothing is lost.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct DemoWriterOptions {
  Address endpoint;
  std::string user;
  Secret password;
  std::string schema;
  Milliseconds pause{5};  // between two rows
};

struct DemoWriterCount {
  std::uint64_t acknowledged = 0;
  std::uint64_t cut = 0;      // statements whose outcome the writer does not know
  std::uint64_t refused = 0;  // statements or connections that got an error otherwise
  Duration longest_pause{};   // between two acknowledged rows
  Duration last_pause{};      // the latest one above 20 ms; zero: none yet
  Duration silent_for{};      // since the last acknowledged row
  std::string last_error;
};

// Writes from its construction to Stop(), on a thread of its own. `clock` must outlive it.
class DemoWriter {
 public:
  DemoWriter(DemoWriterOptions options, const Clock& clock);
  ~DemoWriter();

  DemoWriterCount Count() const;
  void Stop();
  // How many acknowledged rows are not in the database now. REQUIRES: stopped.
  Result<std::uint64_t> CountLost(Deadline deadline) const;

 private:
  void Loop(std::stop_token stop);
  void Note(const Status& status, std::uint64_t id);
  void NoteUnconnected(const Error& error);
  bool Pause(std::stop_token stop, Duration duration);

  const DemoWriterOptions options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any paused_;
  DemoWriterCount count_;
  TimePoint last_acknowledged_{};
  std::vector<std::uint64_t> acknowledged_;
  std::jthread thread_;
};

}  // namespace pandora_ha
