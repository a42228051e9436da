// Which faults happen when. A schedule is data: it is printed, replayed and shrunk.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/world.h"

namespace pandora_ha::simulation {

enum class FaultKind {
  kKill,           // kill -9; its owner or systemd may start it again
  kRestart,        // ends and is back within a second
  kKillAll,        // every server at once
  kFreeze,         // SIGSTOP, then SIGCONT
  kCutManager,     // manager ↔ node
  kCutNodes,       // node ↔ node
  kCutOneWay,      // node → everybody
  kIsolate,        // node ↔ everybody but its local clients
  kAcksLost,       // events arrive, acknowledgements do not
  kDenied,         // the account is refused
  kNoise,          // every third look at the node is lost
  kStopReceiving,  // somebody stops the IO thread
  kStopApplying,   // somebody stops the SQL thread
  kSomebodyOpens,  // somebody makes a replica writable and writes
  kManagerCrash,   // between two steps of its next plan, or at once
  kManagerFreeze,  // in the middle of its next plan
  kStoreFails,     // memory cannot be written
  kStepFails,      // steps fail
  kStepLies,       // steps are done and reported failed
  kStepLate,       // steps outlast their deadline
  kCutWitness,     // witness ↔ node or manager
  // What a person asks for. Drawn apart, so that a seed's faults stay what they were.
  kAskSwitchover,
  kAskFailover,      // no loss allowed
  kAskRashFailover,  // data loss allowed
  kAskPause,         // and resume
  kAskPauseNode,
  kAskFence,  // and unfence
  // Clocks; drawn apart, too.
  kClockJumps,   // the wall clock of a manager, and back; `other` is how far
  kAskPauseFor,  // a pause that ends at a date, and resume
  // Disks; drawn apart, too.
  kDiskStalls,  // of the primary that the node is then
};
inline constexpr int kFaultKinds = 21;
inline constexpr int kAskKinds = 6;
inline constexpr int kClockKinds = 2;
inline constexpr int kDiskKinds = 1;

struct Fault {
  FaultKind kind{};
  int node = 0;   // or manager
  int other = 0;  // the second node; the step at which a manager stops
  Duration at{};  // after the start; with `when_healthy`: after the cluster is healthy again
  Duration lasts{};
  bool when_healthy = false;
};

struct Schedule {
  std::uint64_t seed = 0;
  WorldKind kind;
  std::vector<Fault> faults;
};

// A name of a world ("" is any): availability, consistency, witness, async, semisync, block,
// degrade, local, hosts, mysql, mariadb, two, three, managers, failback; several are joined with a
// comma.
bool KindNamed(const std::string& text, WorldKind* kind, std::string* unknown);

Schedule MakeSchedule(std::uint64_t seed, const std::string& world);

// How far the wall clock jumps, forth or back.
Duration JumpOf(const Fault& fault);

std::string_view ToString(FaultKind kind);
std::string Describe(const Fault& fault);
std::string Describe(const WorldKind& kind);

}  // namespace pandora_ha::simulation
