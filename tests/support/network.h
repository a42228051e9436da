// A loopback network of this process's own, in which addresses can be cut off: packets to and from
// them are dropped, as a broken path does; established connections fall silent on both sides.
#pragma once

#include <string>

#include "reconciler/base/result.h"

namespace pandora_ha {

class PrivateNetwork {
 public:
  // For this process and what it starts from now on. REQUIRES: one thread. kRefused: the kernel
  // does not let this user (root is needed); kNotFound: iproute2's `ip` is missing.
  static Status Enter();

  static Status CutOff(const std::string& address);
  // Undoes one CutOff().
  static Status Heal(const std::string& address);
};

}  // namespace pandora_ha
