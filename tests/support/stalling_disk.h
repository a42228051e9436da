// A filesystem of its own whose writes can be made to wait, as on a dying disk or a file server
// that is gone. Needs root and a loop device.
#pragma once

#include <cstdint>
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
  // Bytes per second that are written at most from now on; 0: no limit. kRefused where the kernel
  // has no such limit (it is that of version 1 of the control groups).
  Status LimitWrites(std::uint64_t bytes_per_second);

 private:
  StallingDisk() = default;

  std::string at_;
  Descriptor root_;
  bool frozen_ = false, limited_ = false;
};

}  // namespace pandora_ha
