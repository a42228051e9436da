#include "reconciler/app/demo_writer.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "reconciler/mysql/session.h"

namespace pandora_ha {
namespace {

constexpr Duration kStatement = Seconds(15);
constexpr Duration kNoticeable = Milliseconds(20);
constexpr Duration kTryAgain = Milliseconds(100);

std::string Table(const DemoWriterOptions& options) {
  return "`" + options.schema + "`.`pandora_ha_demo`";
}

Result<std::unique_ptr<Session>> Connect(const DemoWriterOptions& options, Deadline deadline) {
  return Session::Connect({options.endpoint, options.user, options.password, {}}, deadline);
}

}  // namespace

DemoWriter::DemoWriter(DemoWriterOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      thread_([this](std::stop_token stop) { Loop(stop); }) {}

DemoWriter::~DemoWriter() {
  Stop();
}

DemoWriterCount DemoWriter::Count() const {
  const TimePoint now = clock_.Now().mono;
  const std::lock_guard lock(mutex_);
  DemoWriterCount count = count_;
  if (last_acknowledged_ != TimePoint{}) count.silent_for = now - last_acknowledged_;
  return count;
}

void DemoWriter::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

bool DemoWriter::Pause(std::stop_token stop, Duration duration) {
  std::unique_lock lock(mutex_);
  paused_.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

void DemoWriter::Note(const Status& status, std::uint64_t id) {
  const TimePoint now = clock_.Now().mono;
  const std::lock_guard lock(mutex_);
  if (!status.ok()) {
    const bool unknown = status.error().code == ErrorCode::kTimeout ||
                         status.error().code == ErrorCode::kUnreachable;
    ++(unknown ? count_.cut : count_.refused);
    count_.last_error = status.error().message;
    return;
  }
  if (last_acknowledged_ != TimePoint{}) {
    const Duration pause = now - last_acknowledged_;
    count_.longest_pause = std::max(count_.longest_pause, pause);
    if (pause >= kNoticeable) count_.last_pause = pause;
  }
  last_acknowledged_ = now;
  ++count_.acknowledged;
  acknowledged_.push_back(id);
}

// No statement was under way: one that was held and let go is no cut.
void DemoWriter::NoteUnconnected(const Error& error) {
  const std::lock_guard lock(mutex_);
  const bool waited = error.code == ErrorCode::kTimeout || error.code == ErrorCode::kUnreachable;
  if (!waited) ++count_.refused;
  count_.last_error = error.message;
}

void DemoWriter::Loop(std::stop_token stop) {
  std::unique_ptr<Session> session;
  // Ids of different runs over kept data must not meet.
  auto id = static_cast<std::uint64_t>(clock_.Now().wall.time_since_epoch().count()) << 20;
  while (!stop.stop_requested()) {
    const Deadline deadline(clock_, kStatement);
    if (!session || session->broken()) {
      auto made = Connect(options_, deadline);
      if (!made.ok()) {
        NoteUnconnected(made.error());
        if (!Pause(stop, kTryAgain)) return;
        continue;
      }
      session = *std::move(made);
      const Status prepared =
          session->Execute("CREATE TABLE IF NOT EXISTS " + Table(options_) +
                               " (id BIGINT UNSIGNED PRIMARY KEY) ENGINE=InnoDB",
                           deadline);
      if (!prepared.ok()) {
        Note(prepared, 0);
        session.reset();
        if (!Pause(stop, kTryAgain)) return;
        continue;
      }
    }
    ++id;
    Note(session->Execute("INSERT INTO " + Table(options_) + " VALUES (" + std::to_string(id) + ")",
                          deadline),
         id);
    if (!Pause(stop, options_.pause)) return;
  }
}

Result<std::uint64_t> DemoWriter::CountLost(Deadline deadline) const {
  if (acknowledged_.empty()) return std::uint64_t{0};
  PHA_ASSIGN_OR_RETURN(const auto session, Connect(options_, deadline));
  PHA_ASSIGN_OR_RETURN(const Rows rows,
                       session->Query("SELECT id FROM " + Table(options_) +
                                          " WHERE id >= " + std::to_string(acknowledged_.front()),
                                      deadline));
  std::unordered_set<std::string> present;
  for (const auto& row : rows.cells) {
    if (row[0]) present.insert(*row[0]);
  }
  return static_cast<std::uint64_t>(
      std::count_if(acknowledged_.begin(), acknowledged_.end(),
                    [&](std::uint64_t id) { return !present.contains(std::to_string(id)); }));
}

}  // namespace pandora_ha
