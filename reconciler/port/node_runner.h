// The one thread that speaks to one database server.
#pragma once

#include <functional>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

// Thread-safe.
class NodeRunner {
 public:
  using Task = std::function<Status(DatabaseNode&, Deadline)>;

  virtual ~NodeRunner() = default;
  virtual const NodeName& name() const = 0;
  // Runs the task on the node's own thread and waits for it. kTimeout when the deadline came first:
  // a task that had not begun by then never runs; one that had is unknown.
  virtual Status Run(Task task, Deadline deadline) = 0;
};

}  // namespace pandora_ha
