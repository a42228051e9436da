// `pandora-ha demo`: a cluster of real servers on this machine, with a writer, to break on purpose.
#pragma once

#include <ostream>
#include <string>

#include "reconciler/model/ids.h"

namespace pandora_ha {

struct DemoOptions {
  Flavor flavor = Flavor::kMariaDb;
  std::string server_root;  // see LocalSpec
  std::string directory;    // document, passwords, data, state; new, empty or an earlier one's
  bool keep = false;        // leave the directory at the end
  bool stop = false;        // only end what an earlier demonstration left running
};

// Until SIGINT or SIGTERM. 0: ended, and every acknowledged row was found again; 1: could not
// start, or a row is missing; 2: the directory holds something else, and nothing was changed.
int DemoCommand(const DemoOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pandora_ha
