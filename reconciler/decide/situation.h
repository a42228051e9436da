// What findings are made of. Internal to decide/.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "reconciler/decide/diagnose.h"

namespace pandora_ha {

struct Situation {
  const ClusterSpec& spec;
  const Observation& seen;
  const Memory& memory;
  std::vector<Finding>* out;

  void Add(FindingCode code, const NodeName& node, std::string says) const {
    out->push_back(MakeFinding(code, node, std::move(says)));
  }
  // Of the last one: more than the table can know.
  void Remedy(std::string remedy) const { out->back().remedy = std::move(remedy); }
};

}  // namespace pandora_ha
