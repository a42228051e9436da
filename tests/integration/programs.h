// Real programs over real documents of a test's servers.
#pragma once

#include <string>
#include <vector>

#include "tests/support/test_cluster.h"

namespace pandora_ha {

// `pandora-ha WORDS`, killed at the end.
class Program {
 public:
  // Standard output and error are added to the file `log`.
  Program(const std::vector<std::string>& words, const std::string& log);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int number) const;
  // The exit code; -1 when it has not ended by then, or was killed.
  int WaitForEnd(Seconds at_most);

 private:
  pid_t pid_ = 0;
};

// What a document says about a TestCluster's servers.
struct DocumentWords {
  std::string name = "test";
  std::string policy = "consistency";
  std::string durability = "semiSync";
  int nodes = 0;  // the first so many; 0: all
  int interval = 200, timeout = 1000;
  int max_lag = 60;
  int lease = 15;
  std::string label = "Madrid";  // of node1
  bool endpoint = true;
  int hold = 20;
};

// Writes the password files that it points to, too.
std::string DocumentOf(const TestCluster& cluster, const DocumentWords& words);

}  // namespace pandora_ha
