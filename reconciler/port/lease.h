// The right to act on a cluster.
#pragma once

#include <string>

#include "reconciler/base/result.h"

namespace pandora_ha {

class Lease {
 public:
  virtual ~Lease() = default;
  // True while this manager, and no other, may change the cluster. Asked before every tick and
  // before every step.
  virtual bool Held() = 0;
  // Who holds it, for people; empty when unknown.
  virtual std::string Holder() = 0;
};

}  // namespace pandora_ha
