// One cluster of real servers whose primary is killed again and again, and what was timed.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/report.h"
#include "tests/bench/tight_writer.h"
#include "tests/support/test_cluster.h"

namespace pandora_ha::bench {

enum class Way {
  kFloor,      // no manager
  kEndpoint,   // kill -9 that the process's owner sees, a client of the endpoint
  kHostsFile,  // the same, a client of the hosts file
  kHung,       // SIGSTOP, a client of the endpoint
  kOutside,    // kill -9 where nobody owns the process (substrate hosts), a client of the endpoint
};
inline constexpr std::array kWays = {Way::kFloor, Way::kEndpoint, Way::kHostsFile, Way::kHung,
                                     Way::kOutside};

// A moment of one failover, in microseconds since the kill.
struct Moment {
  double at = 0;
  std::string what;
};

struct Killing {
  double total = 0;  // ms from the kill to the first acknowledged write
  std::uint64_t acknowledged = 0, lost = 0;
  std::vector<std::pair<std::string, double>> phases;  // ms, in order; they add up to `total`
  std::vector<Moment> timeline;
};

class FailoverRuns {
 public:
  explicit FailoverRuns(TestedFlavor flavor) : flavor_(std::move(flavor)) {}

  // Brings the cluster to a state from which a promotion loses nothing, kills the primary and
  // times what follows. An error says what did not come about.
  Result<Killing> Kill(Way way);
  // What the clusters declare, for the goals. REQUIRES: one Kill().
  const DetectionSpec& detection() const { return cluster_->spec().database.detection; }
  // How often a cluster had to be made anew because the last one did not become healthy again.
  int rebuilt() const { return rebuilt_; }

 private:
  struct Pair {
    NodeName primary, replica;
  };

  Result<Pair> MakeReady();
  // Another manager, which owns the servers' processes or does not.
  void Manage(bool owner);
  // The writer writes, and the replica's relay log is empty at this moment.
  Status WaitForTheMoment(const Pair& pair, const TightWriter& writer) const;
  Result<Killing> KillForFloor(const Pair& pair);
  Result<Killing> KillUnderManager(const Pair& pair, Way way);
  SessionOptions To(const NodeName& node, bool admin) const;
  TightWriter::Connect Client(Way way, const NodeName& primary) const;
  Status CountLost(const NodeName& primary, const TightWriter& writer, Killing* killing) const;
  std::uint64_t NewIds();

  const TestedFlavor flavor_;
  std::unique_ptr<TestCluster> cluster_;
  int rebuilt_ = -1;
  std::uint64_t next_id_ = 1;
  TimePoint last_kill_{};  // what was seen before it says nothing about now
};

}  // namespace pandora_ha::bench
