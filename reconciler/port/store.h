// Where memory and history are kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/model/memory.h"
#include "reconciler/model/status.h"

namespace pandora_ha {

// One thread at a time.
class Store {
 public:
  virtual ~Store() = default;
  // Nothing when there has never been a memory. An unreadable one is an error, never an empty one.
  virtual Result<std::optional<Memory>> ReadMemory() = 0;
  // Durable when it returns: temporary file, fsync, rename, fsync of the directory.
  virtual Status WriteMemory(const Memory& memory) = 0;
  virtual Status AppendEvent(const Event& event) = 0;
  // The newest `most` events, oldest first.
  virtual Result<std::vector<Event>> ReadEvents(std::size_t most) = 0;
};

}  // namespace pandora_ha
