// The product's own program, as people start it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/test_cluster.h"

namespace pandora_ha {

// `pandora-ha WORDS`, killed at the end. What it says goes to the end of the file `log`.
class Program {
 public:
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

// The cluster's document; its passwords are put into files beside it. Without the endpoint when a
// `pandora-ha endpoint` is to listen there.
std::string DocumentOf(const TestCluster& cluster, bool with_endpoint);

// `pandora-ha run` for that document, in the cluster's directory; its log is programs.log there,
// and api.sock takes intents.
std::vector<std::string> RunManager(const TestCluster& cluster, const std::string& document);
// `pandora-ha endpoint` at `listen`, following the cluster's sidecar.
std::vector<std::string> RunEndpoint(const TestCluster& cluster, const Address& listen);

}  // namespace pandora_ha
