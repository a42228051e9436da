#include "tests/support/client_writer.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_set>

namespace pandora_ha {
namespace {

// Longer than any endpoint of a test holds a connection.
constexpr Seconds kPatience{25};
constexpr useconds_t kAfterRefusal = 2000;

}  // namespace

std::string CreateTrialTable() {
  return std::string("CREATE TABLE IF NOT EXISTS ") + kTrialTable +
         " (id BIGINT UNSIGNED PRIMARY KEY) ENGINE=InnoDB";
}

ClientWriter::ClientWriter(ClientWriterOptions options)
    : options_(std::move(options)),
      id_(options_.first_id),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void ClientWriter::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

ClientWriterCount ClientWriter::Count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

Duration ClientWriter::LongestPauseSince(TimePoint from) const {
  const std::lock_guard lock(mutex_);
  Duration longest{};
  for (std::size_t i = acknowledged_at_.size(); i-- > 1 && acknowledged_at_[i] >= from;)
    longest = std::max<Duration>(longest, acknowledged_at_[i] - acknowledged_at_[i - 1]);
  return longest;
}

void ClientWriter::Fail(std::uint64_t ClientWriterCount::*kind, const Error& error) {
  const std::lock_guard lock(mutex_);
  ++(count_.*kind);
  count_.last_error = error.message;
}

void ClientWriter::Loop(const std::stop_token& stop) {
  const Clock& clock = SystemClock();
  std::unique_ptr<Session> session;
  while (!stop.stop_requested()) {
    const Deadline deadline(clock, kPatience);
    if (!session) {
      auto made = Session::Connect(options_.to, deadline);
      if (!made.ok()) {
        Fail(&ClientWriterCount::unconnected, made.error());
        usleep(kAfterRefusal);
        continue;
      }
      session = *std::move(made);
    }
    const std::uint64_t id = id_++;
    const Status done = session->Execute(
        std::string("INSERT INTO ") + kTrialTable + " VALUES (" + std::to_string(id) + ")",
        deadline);
    if (done.ok()) {
      const std::lock_guard lock(mutex_);
      acknowledged_at_.push_back(clock.Now().mono);
      ids_.push_back(id);
      ++count_.acknowledged;
    } else {
      const bool broke = session->broken();
      Fail(broke ? &ClientWriterCount::cut : &ClientWriterCount::refused, done.error());
      if (!broke) usleep(kAfterRefusal);
    }
    if (options_.connect_each || session->broken()) session.reset();
    if (options_.pause > Duration::zero()) usleep(static_cast<useconds_t>(options_.pause.count()));
  }
}

std::uint64_t CountMissing(const ClientWriter& writer, const Rows& rows) {
  std::unordered_set<std::string> present;
  for (const auto& row : rows.cells) present.insert(row[0].value_or(""));
  return static_cast<std::uint64_t>(
      std::count_if(writer.ids().begin(), writer.ids().end(),
                    [&](std::uint64_t id) { return !present.contains(std::to_string(id)); }));
}

std::string SelectTrialRows(const ClientWriter& writer) {
  return std::string("SELECT id FROM ") + kTrialTable + " WHERE id BETWEEN " +
         std::to_string(writer.first_id()) + " AND " + std::to_string(writer.last_id());
}

}  // namespace pandora_ha
