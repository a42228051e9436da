// A small world for conversations with the brain: nodes with what they would answer, and what every
// step of a plan does to them. It models outcomes, not servers: what a real server does is the
// business of the integration tests.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"

namespace pandora_ha::scenarios {

// What is true of one node, whether or not anybody can see it.
struct Node {
  DatabaseState state;
  Contact contact = Contact::kAnswered;  // how our questions end while its process runs
  std::string contact_error;
  std::optional<Contact> insists;  // said by the scenario although the process has ended
  ProcessState process;
  std::string process_unknown;  // why its owner does not tell; empty: it tells
  bool can_fence = true;
  bool self_fencing = false;
  std::string busy;                        // who holds up read_only; empty: nobody
  bool sends = true;                       // its replicas hear from it
  std::optional<Duration> writes_stand{};  // in their commit, for so long
  bool asked = true;                       // the next look finishes a question to it
  std::string last_arrival;                // the arrival token of its own channel
  std::optional<int> says_acknowledgers;
  std::uint64_t attempts = 0;
  std::optional<TimePoint> unanswered_since;

  bool runs() const { return process.phase == ProcessState::Phase::kRunning; }
};

class World {
 public:
  ClusterSpec spec;
  std::map<std::string, Node> nodes;
  PublicationSeen publication;
  std::string document_problem;
  std::vector<WitnessSeen> witnesses;
  bool look_for_busy = false;  // a switchover waits to begin
  std::string last_failure;
  bool guards_arrive = true;    // what a manager writes of them
  std::vector<Intent> intents;  // asked for and not taken up yet
  TimePoint now = TimePoint{} + Seconds(3600);
  TimePoint acts_since{};

  // Declares a node that runs, answers, is read-only, empty and follows nobody.
  void Declare(const std::string& name);

  WallTime wall() const {
    return WallTime(std::chrono::duration_cast<Milliseconds>(now.time_since_epoch()));
  }

  // A look at the world. Counts one more question for every node that was asked.
  Observation Look();

  // Carries out one step; the answer is empty or the reason why it failed.
  std::string Perform(const Step& step);

  // Changes that the world makes by itself.
  void EndProcess(const std::string& name, const std::string& how);
  void StartProcess(const std::string& name);
  void FinishCopy(const std::string& name, const std::string& source);
  void Write(const std::string& name, const GtidSet& transactions);
  void Follow(const std::string& name, const std::string& source);
  void WriteOwn(const std::string& name);  // one transaction of its own
  void WriteGuards(const std::string& name, const GuardsCopy& copy);
  int Acknowledgers(const std::string& source) const;

  Flavor flavor() const { return flavor_; }
  void set_flavor(Flavor flavor) { flavor_ = flavor; }
  const std::string* NameAt(const std::string& host) const;

 private:
  void Connect(Node* replica, Node* source);
  DatabaseSeen LookAt(const NodeName& name, Node* node);

  Flavor flavor_ = Flavor::kMariaDb;
};

}  // namespace pandora_ha::scenarios
