// The owner of a database server's process: the local supervisor today, an agent or SSH later.
#pragma once

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

struct StartOptions {
  bool discard_unacknowledged = false;  // see StartServer in model/plan.h
};

// See RebuildServer in model/plan.h.
struct CopyOptions {
  std::string id;
  NodeName source;
  Address source_address;
  GtidSet source_history;
  ResyncMethod method = ResyncMethod::kAuto;
  std::string script;
  bool set_aside = false;
};

// See ArchiveOwnRows in model/plan.h.
struct ArchiveOptions {
  std::string id;
  GtidSet known, own;
};

// See MergeOwnRows in model/plan.h.
struct MergeIntoPrimary {
  std::string id;
  std::string archive;
  NodeName primary;
  Address address;  // the primary's
  Epoch epoch;
};

// Thread-safe. A host that cannot do something returns kUnsupported.
class Host {
 public:
  virtual ~Host() = default;

  // The last word of the owner; it is pushed, so this does not wait. Unknown when the owner itself
  // is not reached.
  virtual Seen<ProcessState> Process() const = 0;
  // Somebody here can end the process (or cut its port) when asked.
  virtual bool CanFence() const = 0;
  // Orders a start and returns when the owner has accepted it. That the server runs, or why it does
  // not, is seen in Process(). Ordering again what is under way changes nothing.
  virtual Status Start(const StartOptions& options, Deadline deadline) = 0;
  // Ends the process with SIGKILL, waits for its end and inhibits every later start but ours.
  virtual Status Fence(Deadline deadline) = 0;

  // Orders what RebuildServer says, and returns when the owner has accepted it.
  virtual Status Rebuild(const CopyOptions& options, Deadline deadline) = 0;
  // Returns when the old directory can no longer be used; its space comes back a little later.
  virtual Status DiscardOldCopy(Deadline deadline) = 0;

  // Orders what ArchiveOwnRows says, and returns when the owner has accepted it.
  virtual Status Archive(const ArchiveOptions& options, Deadline deadline) = 0;
  // Orders what MergeOwnRows says, and returns when the owner has accepted it.
  virtual Status Merge(const MergeIntoPrimary& order, Deadline deadline) = 0;
  // Ends the process of that order and returns when it has ended. Nothing happens when another one,
  // or none, runs.
  virtual Status StopMerge(const std::string& id, Deadline deadline) = 0;

  // Orders what RewindServer says, and returns when the owner has accepted it.
  virtual Status Rewind(const std::string& id, const std::string& archive, Deadline deadline) = 0;

  // Orders what VerifyServer says, and returns when the owner has accepted it. `address`: the
  // primary's.
  virtual Status Verify(const std::string& id, const NodeName& primary, const Address& address,
                        Deadline deadline) = 0;

  // From now on the owner takes orders from this manager only; a connection that somebody else has
  // opened before is refused until it claims, too.
  virtual Status Claim(Deadline deadline) = 0;
  // This manager claimed last, as far as is known.
  virtual bool Claimed() const = 0;
};

}  // namespace pandora_ha
