// What a set of documents declares: which cluster is kept by which document, and which documents
// are refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reconciler/app/document_watch.h"
#include "reconciler/spec/load_spec.h"

namespace pandora_ha {

// A cluster that runs, and the file whose document is in force.
struct InForce {
  std::string file;
  ClusterSpec spec;
};

struct Declared {
  struct Good {
    std::string file;
    LoadedSpec loaded;  // ok()
  };
  std::map<std::string, Good> clusters;  // by name: to be started, or to be changed
  // By file; never empty lists.
  std::map<std::string, std::vector<Problem>> refused;
  // Clusters that run and keep their last good document, although the one that lies there is
  // refused: name → file.
  std::map<std::string, std::string> kept;
};

// Of two documents with one name, the one whose file is in force counts, and none when neither is:
// nobody can know which of them is meant. Of two clusters that claim one place (endpoint, directory
// of local servers, dataIn, a database server), the one that runs has it, then the one whose file
// comes first. A cluster whose file is gone is in neither list. Reads nothing and changes nothing.
Declared Judge(const std::map<std::string, DocumentFile>& files,
               const std::map<std::string, InForce>& running);

}  // namespace pandora_ha
