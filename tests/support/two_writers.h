// Looks for two servers that accept writes at the same moment.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "tests/support/test_cluster.h"

namespace pandora_ha {

// Asks one node, the other, and the first again: two writers are seen when all three answers are
// "writable". On a thread of its own, from its construction to its end.
class TwoWritersWatch {
 public:
  // `cluster` must outlive it and have two nodes.
  explicit TwoWritersWatch(const TestCluster& cluster);
  ~TwoWritersWatch() { Stop(); }
  void Stop();

  std::uint64_t looks() const { return looks_; }
  std::uint64_t seen() const { return seen_; }

 private:
  void Loop(const std::stop_token& stop);

  const TestCluster& cluster_;
  std::atomic<std::uint64_t> looks_{0}, seen_{0};
  std::jthread thread_;
};

}  // namespace pandora_ha
