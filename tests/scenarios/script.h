// Reads a scenario's commands and plays them. README.md beside this file lists the words.
#pragma once

#include <set>
#include <string>

#include "tests/scenarios/world.h"

namespace pandora_ha::scenarios {

// What a conversation came across, for the test that every code occurs in one.
struct Coverage {
  std::set<FindingCode> findings;
  std::set<BlockReason> reasons;
};

class Script {
 public:
  // One line. The answer is what the command prints: empty for most, a decision for `decide`, the
  // trace of a stretch of time for `let it run`. Throws std::runtime_error with a sentence on a
  // line that it does not understand and on a broken promise of Decide.
  std::string Play(const std::string& line);

  const Coverage& coverage() const { return coverage_; }

 private:
  using Phrase = std::vector<std::string>;

  void Ask(const Phrase& words);
  void Given(const Phrase& words);
  void Option(const std::string& key, const std::string& value);
  void Settled(const Phrase& words);
  void Remember(const Phrase& words);
  void SayOf(const std::string& name, const Phrase& phrase);
  bool SayOfProcess(const std::string& name, const Phrase& phrase);
  bool SayOfContact(Node* node, const Phrase& phrase);
  bool SayOfChannel(const std::string& name, const Phrase& phrase);
  bool SayOfState(const std::string& name, const Phrase& phrase);
  bool SayOption(const std::string& name, const std::string& key, const std::string& value);
  void Witness(const Phrase& words);
  void Published(const Phrase& words);
  std::string Apply(std::size_t steps);
  std::string LetItRun(Duration time);
  Observation DecideOnce();

  GtidSet Set(const std::string& text) const;
  Node& At(const std::string& name);
  ReplicationSeen& Channel(const std::string& name);

  World world_;
  Memory memory_;
  Decision decision_;
  std::string remembered_;
  std::string fails_;  // the start of the step that the next apply fails at
  bool lies_ = false;  // it fails after it was done
  int asked_ = 0;
  int managers_ = 1;
  Coverage coverage_;
};

}  // namespace pandora_ha::scenarios
