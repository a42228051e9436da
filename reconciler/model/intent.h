// What a person asks for. An intent is an input of Decide: no handler acts by itself.
//
// It is taken up once: the memory that names its id is stored before anything is done for it, and
// an intent whose id the memory knows is never taken up again (invariant 9).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

// Another node becomes primary while the present one lives; nothing that was acknowledged is lost.
struct Switchover {
  std::optional<NodeName> to;  // none: the best candidate
  // Transactions and table locks that still hold up the change near its deadline are ended (rolled
  // back). Otherwise the primary is opened again and the switchover has failed.
  bool end_transactions = false;
  bool operator==(const Switchover&) const = default;
};
// Another node becomes primary now, without waiting for evidence. The present primary is fenced
// where somebody can do it.
struct ForcedFailover {
  std::optional<NodeName> to;
  // Takes a candidate that lacks acknowledged rows, and a predecessor that nobody can fence.
  bool allow_data_loss = false;
  bool operator==(const ForcedFailover&) const = default;
};
// Nothing is changed by us in the cluster (none) or on one node (maintenance) until it is resumed
// or the time is over.
struct Pause {
  std::optional<NodeName> node;
  std::optional<Seconds> lasts;  // none: until it is resumed
  bool operator==(const Pause&) const = default;
};
struct Resume {
  std::optional<NodeName> node;
  bool operator==(const Resume&) const = default;
};
// The node's server is ended and not started again until it is unfenced; refused where nobody can
// end it for us. A primary is fenced only with `even_primary`: the failover follows by itself.
struct Fence {
  NodeName node;
  bool even_primary = false;
  bool operator==(const Fence&) const = default;
};
struct Unfence {
  NodeName node;
  bool operator==(const Unfence&) const = default;
};
// The node's data directory is made anew from the primary's.
struct Resync {
  NodeName node;
  // Also when the node has transactions that the primary lacks, or when nobody can ask it: its old
  // data directory is then kept for good, beside the new one.
  bool set_aside = false;
  bool operator==(const Resync&) const = default;
};
// A person has seen the last failover: the cool-down is over.
struct Acknowledge {
  bool operator==(const Acknowledge&) const = default;
};

using Wish =
    std::variant<Switchover, ForcedFailover, Pause, Resume, Fence, Unfence, Resync, Acknowledge>;

struct Intent {
  std::string id;  // chosen by who asks: 8 to 64 of a-z, 0-9 and '-'
  Wish wish;
  std::string by;      // the user at the other end of the socket
  std::string reason;  // in the person's words; may be empty
  WallTime asked_at{};
  // Switchover, ForcedFailover: what has not been done by then is given up (and taken back).
  Seconds within{60};

  bool operator==(const Intent&) const = default;
};

enum class IntentState {
  kUnderWay,
  kDone,
  kRefused,     // nothing was done
  kTakenBack,   // begun, and the world is as it was before
  kSuperseded,  // the world changed under it: a failover happened meanwhile
};

// What the primary had executed at a look. A node that holds it lags no more than the time since.
struct Milestone {
  GtidSet executed;
  TimePoint at{};
  bool operator==(const Milestone&) const = default;
};

// What became of an intent.
struct IntentRecord {
  Intent intent;
  IntentState state = IntentState::kUnderWay;
  std::string says;  // the whole sentence: what was done, or why not and what to do
  WallTime at{};     // of the last change of state
  // Under way; comparable only within one boot.
  TimePoint give_up_at{};
  TimePoint not_before{};  // of the next attempt
  int attempts = 0;        // at closing the primary
  // Of a switchover that waits for its target. Not stored: a manager that starts takes another.
  std::optional<Milestone> milestone{};

  bool operator==(const IntentRecord&) const = default;
};

// Kept in memory: the one under way and the newest finished ones. More than may be asked for
// between two looks: one that were forgotten in the look that took it up would be taken up again.
inline constexpr std::size_t kIntentsKept = 32;

std::string_view ToString(IntentState state);  // "underWay", "done", "refused", …
// A switchover or a failover.
bool ChangesPrimary(const Wish& wish);
// Pause, resume, fence, unfence, ack: in force at once, and shared with every manager (Guards).
bool IsGuard(const Wish& wish);
std::string_view KindOf(const Wish& wish);  // "switchover", "failover", "pause", …
std::string Describe(const Wish& wish);     // "switchover to node2"

}  // namespace pandora_ha
