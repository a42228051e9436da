#include "tests/bench/tight_writer.h"

#include <unistd.h>

namespace pandora_ha::bench {
namespace {

constexpr Seconds kStatement{15};
// Between two attempts that were refused at once.
constexpr useconds_t kPauseMicroseconds = 500;

}  // namespace

TightWriter::TightWriter(Connect connect, std::uint64_t first_id)
    : connect_(std::move(connect)),
      id_(first_id),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void TightWriter::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void TightWriter::Loop(const std::stop_token& stop) {
  const Clock& clock = SystemClock();
  std::unique_ptr<Session> session;
  int connections = 0;
  while (!stop.stop_requested()) {
    const Deadline deadline(clock, kStatement);
    if (!session) {
      auto made = connect_(deadline);
      if (!made.ok()) {
        usleep(kPauseMicroseconds);
        continue;
      }
      session = *std::move(made);
      ++connections;
      if (back_at_.load() == TimePoint{}) connected_at_ = clock.Now().mono;
    }
    const std::uint64_t id = id_++;
    const Status done = session->Execute(
        std::string("INSERT INTO ") + kTable + " VALUES (" + std::to_string(id) + ")", deadline);
    if (!done.ok()) {
      if (cut_at_.load() == TimePoint{}) cut_at_ = clock.Now().mono;
      session.reset();
      continue;
    }
    if (connections > 1 && back_at_.load() == TimePoint{}) back_at_ = clock.Now().mono;
    ids_.push_back(id);
    ++acknowledged_;
  }
}

}  // namespace pandora_ha::bench
