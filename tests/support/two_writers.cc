#include "tests/support/two_writers.h"

#include <unistd.h>

#include <array>

namespace pandora_ha {
namespace {

constexpr Milliseconds kAnswerWithin{300};
constexpr useconds_t kBetweenLooks = 2000;

class Node {
 public:
  explicit Node(SessionOptions to) : to_(std::move(to)) {}

  bool Writable() {
    const Deadline deadline(SystemClock(), kAnswerWithin);
    if (!session_ || session_->broken()) {
      session_.reset();
      auto made = Session::Connect(to_, deadline);
      if (!made.ok()) return false;
      session_ = *std::move(made);
    }
    const auto rows = session_->Query("SELECT @@global.read_only", deadline);
    return rows.ok() && !rows->empty() && rows->cells[0][0] == "0";
  }

 private:
  const SessionOptions to_;
  std::unique_ptr<Session> session_;
};

}  // namespace

TwoWritersWatch::TwoWritersWatch(const TestCluster& cluster)
    : cluster_(cluster), thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void TwoWritersWatch::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void TwoWritersWatch::Loop(const std::stop_token& stop) {
  const ClusterSpec& spec = cluster_.spec();
  const auto to = [&](std::size_t i) {
    return SessionOptions{{spec.database.nodes[i].address, spec.database.port},
                          spec.database.credentials.admin.user,
                          cluster_.passwords().admin,
                          spec.database.tls};
  };
  std::array<Node, 2> nodes = {Node(to(0)), Node(to(1))};
  while (!stop.stop_requested()) {
    ++looks_;
    if (nodes[0].Writable() && nodes[1].Writable() && nodes[0].Writable()) ++seen_;
    usleep(kBetweenLooks);
  }
}

}  // namespace pandora_ha
