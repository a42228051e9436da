// A filesystem of its own whose writes can be made to wait, as on a dying disk or a file server
// that is gone. Needs root and a loop device.
#pragma once

#include <memory>
#include <string>

#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"

namespace pandora_ha {

class StallingDisk {
 public:
  // An ext4 of 2 GB in `file`, mounted at `at` for the calling thread and all that it starts from
  // now on. kRefused or a system error where a machine does not allow that.
  static Result<std::unique_ptr<StallingDisk>> Mount(const std::string& file,
                                                     const std::string& at);
  ~StallingDisk();  // thaws
  // Writes wait from now on, in a sleep that no signal ends; reads go on.
  Status Freeze();
  void Thaw();

 private:
  StallingDisk() = default;

  std::string at_;
  Descriptor root_;
  bool frozen_ = false;
};

}  // namespace pandora_ha
