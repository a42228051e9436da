#include "reconciler/decide/rebuild.h"

#include <array>
#include <cstdio>
#include <utility>

#include "reconciler/decide/archive.h"
#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"
#include "reconciler/decide/marks.h"
#include "reconciler/decide/merge.h"
#include "reconciler/decide/verification.h"

namespace pandora_ha {
namespace {

constexpr Seconds kSeenWithin{10};    // that an order was taken up
constexpr Seconds kStartWithin{600};  // the server on its new data, which recovers first
constexpr Seconds kPatience{60};      // with what holds up an attempt

std::string Bytes(double bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), bytes < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", bytes,
                kUnits[unit]);
  return text.data();
}

bool CanCopy(ResyncMethod method, Flavor flavor) {
  switch (method) {
    case ResyncMethod::kClone:
      return flavor == Flavor::kMySql;
    case ResyncMethod::kAuto:
    case ResyncMethod::kBackupStream:
    case ResyncMethod::kDump:
    case ResyncMethod::kScript:
      break;
  }
  return true;
}

// What may be lost with the node's own data.
std::string WhyNotOver(const DatabaseSeen& node, const Memory& memory) {
  const NodeMemory& remembered = MemoryOf(memory, node.name);
  const std::string keeps = "; `--set-aside` keeps its data directory beside the new one";
  if (!node.process->initialised) return "";
  const bool diverged = remembered.history == History::kDiverged;
  if (diverged && !(node.state.known() && IsArchived(remembered) && HasArchive(node, remembered))) {
    return "it has transactions that the primary lacks (" + remembered.errant.ToString() +
           "), and they are not archived yet" + keeps;
  }
  if (!diverged && remembered.history != History::kContained) {
    return "whether it has rows of its own is not known, because it could not be compared with "
           "the primary" +
           keeps;
  }
  // Contained in what the primary had is not contained in what it has.
  if (!memory.primary_lost.empty())
    return "the primary has lost transactions, and this may be the only node that has them" + keeps;
  const auto& channel = node.state.known() ? node.state->replication : std::nullopt;
  const bool receives = channel && channel->io == ThreadState::kRunning;
  const GtidSet held = node.state.known() ? HeldBy(*node.state) : remembered.received;
  if (!receives && !memory.primary_executed.Union(remembered.errant).Contains(held)) {
    return "it has received transactions that the primary is not known to have" + keeps;
  }
  return "";
}

// A copy ends with a moment in which nothing commits, and a commit that waits for an
// acknowledgement keeps it from coming. With `degrade` that passes by itself.
std::string WhyCommitsWait(const ClusterSpec& spec, const DatabaseSeen& primary,
                           const DatabaseSeen& target) {
  const SemiSyncSeen& semi_sync = primary.state->semi_sync;
  const bool acknowledges = target.state.known() && target.state->semi_sync.replica_active;
  if (spec.database.replication.without_replica != WithoutReplica::kBlock ||
      !semi_sync.source_waiting || semi_sync.acknowledgers > (acknowledges ? 1 : 0)) {
    return "";
  }
  return "commits on " + primary.name.text +
         (acknowledges ? " would wait for its acknowledgement" : " wait for an acknowledgement") +
         " and hold up the copy; `withoutReplica: degrade` lets them go on";
}

// The copy is the node's data, and will not serve.
std::string WhyUseless(const Context& c, const DatabaseSeen& node, const Rebuild& rebuild) {
  if (MemoryOf(std::as_const(c.memory), node.name).history == History::kDiverged)
    return "the copy holds transactions that the present primary lacks";
  if (!node.state.known())
    return c.now() >= rebuild.give_up_at ? "no server answers on the copy" : "";
  if (!node.state->replication) return "";
  if (OnlyACopyHelps(*node.state->replication))
    return "the primary has purged the binary logs that the copy needs";
  if (node.state->replication->sql_errno != 0)
    return "the copy cannot apply: " + node.state->replication->sql_error;
  return "";
}

void Say(IntentRecord* record, std::string says) {
  if (record != nullptr) record->says = std::move(says);
}

void GiveUp(Context& c, const DatabaseSeen& node, IntentRecord* record, const std::string& why) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  const bool in_place = remembered.rebuild->in_place;
  remembered.rebuild_failed = why;
  remembered.rebuild.reset();
  if (record == nullptr) return;
  CloseIntent(c, *record, IntentState::kTakenBack,
              "Given up: " + why + ". " + node.name.text +
                  (in_place ? " has the copy; what it had before lies beside it in data.old."
                            : " has the data of before."));
}

// One attempt is over without success; the next follows later, or none.
void Fail(Context& c, const DatabaseSeen& node, IntentRecord* record, const std::string& why) {
  Rebuild& rebuild = *MemoryOf(c.memory, node.name).rebuild;
  const ResyncSpec& spec = c.spec.database.resync;
  const std::string attempt = std::to_string(++rebuild.failures);
  if (rebuild.failures > spec.wait_retries)
    return GiveUp(c, node, record, why + " (attempt " + attempt + ", the last)");
  rebuild.id = rebuild.id.substr(0, rebuild.id.find('.')) + "." + attempt;
  rebuild.ordered = rebuild.in_place = false;
  rebuild.not_before = c.now() + spec.sleep;
  rebuild.give_up_at = rebuild.not_before + kPatience;
  Say(record, "Attempt " + attempt + " of " + std::to_string(spec.wait_retries + 1) + " failed: " +
                  why + ". The next one follows in " + FormatDuration(spec.sleep) + ".");
}

void Finish(Context& c, const DatabaseSeen& node, IntentRecord* record) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  remembered.rebuild.reset();
  remembered.rebuild_failed.clear();
  remembered.received = HeldBy(*node.state);
  if (record == nullptr) return;
  CloseIntent(
      c, *record, IntentState::kDone,
      node.name.text + " was made anew from " + c.memory.primary->text + " and follows it.");
}

// The copy is in place; everything else is upkeep, until it has caught up.
void FollowUp(Context& c, const DatabaseSeen& node, IntentRecord* record) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  Rebuild& rebuild = *remembered.rebuild;
  if (!rebuild.in_place) {
    // What was known of its old data says nothing of the new.
    rebuild.in_place = true;
    remembered.history = History::kUnjudged;
    remembered.received = remembered.received.Subtract(remembered.errant);
    remembered.errant = remembered.executed = {};
    remembered.archive.reset();  // it speaks of the old data only
    remembered.merge.reset();
    remembered.deposed = remembered.discard = false;
    rebuild.give_up_at = c.now() + kStartWithin;
  }
  if (HasCaughtUp(c, node)) return Finish(c, node, record);
  if (const std::string why = WhyUseless(c, node, rebuild); !why.empty())
    return Fail(c, node, record, why);
  if (node.state.known()) rebuild.give_up_at = c.now() + kStartWithin;
  Say(record, node.name.text + " has its new data and is catching up.");
}

void Order(Context& c, const DatabaseSeen& node, IntentRecord* record) {
  Rebuild& rebuild = *MemoryOf(c.memory, node.name).rebuild;
  const DatabaseSeen& primary = *FindSeen(c.seen, *c.memory.primary);
  rebuild.ordered = true;
  rebuild.not_before = c.now() + kSeenWithin;
  Say(record, node.name.text + " is about to be made anew from " + primary.name.text + ".");
  const ResyncSpec& how = c.spec.database.resync;
  c.Do(RebuildServer{node.name, primary.name, rebuild.id, primary.state->executed, how.method,
                     how.script, rebuild.set_aside},
       record != nullptr ? record->intent.by + " asked for it" : "only a copy helps it", kStartStep,
       {IsWritable{primary.name}});
}

// No copy of the present attempt is seen.
void OrderOrWait(Context& c, const DatabaseSeen& node, IntentRecord* record) {
  Rebuild& rebuild = *MemoryOf(c.memory, node.name).rebuild;
  if (c.now() < rebuild.not_before) return;
  // Meanwhile it has more rows of its own, or the document keeps them from going.
  const NodeMemory& remembered = MemoryOf(std::as_const(c.memory), node.name);
  if (rebuild.intent.empty() && !rebuild.ordered && remembered.history == History::kDiverged &&
      !MayGoWithItsRows(c.spec, c.memory, remembered)) {
    MemoryOf(c.memory, node.name).rebuild.reset();
    return;
  }
  if (rebuild.ordered && node.process.known()) {
    const std::string& failed = c.seen.last_failure;
    return Fail(c, node, record,
                failed.empty() ? "the order had no effect; see supervisor.log of " + node.name.text
                               : failed);
  }
  std::string why = WhyNoRebuild(c.spec, c.seen, c.memory, node.name, rebuild.set_aside);
  if (why.empty() && FindSeen(c.seen, *c.memory.primary)->state->semi_sync.commits_wait())
    why = "commits wait for an acknowledgement at the moment";
  if (why.empty()) return Order(c, node, record);
  Say(record, "Waiting: " + why + ".");
  if (c.now() >= rebuild.give_up_at) GiveUp(c, node, record, why);
}

bool NeedsACopy(const DatabaseSeen& node) {
  return node.state->replication && OnlyACopyHelps(*node.state->replication);
}

// By itself.
bool MayBeMadeAnew(const Context& c, const DatabaseSeen& node) {
  const NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (remembered.history != History::kDiverged) return NeedsACopy(node);
  return MayGoWithItsRows(c.spec, c.memory, remembered) && !AreMarksToEnter(c, node);
}

}  // namespace

bool MayGoWithItsRows(const ClusterSpec& spec, const Memory& memory, const NodeMemory& node) {
  const SplitBrainSpec& declared = spec.database.split_brain;
  return node.history == History::kDiverged && IsArchived(node) &&
         declared.rejoin != SplitBrainRejoin::kWait &&
         (declared.rows == SplitBrainRows::kArchive || node.archive->divergence.OnlyMarks() ||
          (declared.rows == SplitBrainRows::kMerge && IsMerged(memory, node)));
}

std::string WhyNoRebuild(const ClusterSpec& spec, const Observation& seen, const Memory& memory,
                         const NodeName& node, bool set_aside) {
  if (memory.promotion) return "a promotion is under way";
  if (!memory.primary) return "the cluster has no primary to copy";
  if (memory.primary == node) return "it is the primary, from which the others are made";
  const DatabaseSeen* primary = FindSeen(seen, *memory.primary);
  const DatabaseSeen* target = FindSeen(seen, node);
  if (primary == nullptr || !primary->state.known() || !primary->state->writable)
    return "the primary " + memory.primary->text + " does not serve, and only it may be copied";
  if (const std::string held = HeldOff(memory, node); !held.empty()) return held;
  if (target == nullptr || !target->process.known())
    return "nobody owns its server's process for us, or its owner does not answer";
  if (!CanCopy(spec.database.resync.method, primary->state->version.flavor)) {
    return "spec.database.resync.method is one that " +
           std::string(ToString(primary->state->version.flavor)) + " does not have; say auto";
  }
  if (const std::string waits = WhyCommitsWait(spec, *primary, *target); !waits.empty())
    return waits;
  return set_aside ? "" : WhyNotOver(*target, memory);
}

void BeginRebuild(Context& c, const NodeName& node, const std::string& id,
                  const std::string& intent, bool set_aside) {
  NodeMemory& remembered = MemoryOf(c.memory, node);
  remembered.rebuild_failed.clear();
  remembered.verification.reset();
  if (IsMerged(c.memory, remembered)) OweVerification(c, remembered);
  Rebuild& rebuild = remembered.rebuild.emplace();
  rebuild.id = id;
  rebuild.intent = intent;
  rebuild.source = *c.memory.primary;
  rebuild.epoch = c.memory.epoch;
  rebuild.set_aside = set_aside;
  rebuild.give_up_at = c.now() + kPatience;
}

bool HasCaughtUp(const Context& c, const DatabaseSeen& node) {
  if (!node.state.known() || !node.state->replication || node.state->writable) return false;
  const ReplicationSeen& channel = *node.state->replication;
  const DatabaseNodeSpec* primary = FindNode(c.spec, *c.memory.primary);
  return channel.source.host == primary->address && channel.io == ThreadState::kRunning &&
         channel.sql == ThreadState::kRunning && channel.applied_all && channel.lag &&
         *channel.lag <= c.spec.database.replication.max_lag &&
         MemoryOf(std::as_const(c.memory), node.name).history == History::kContained;
}

bool IsCopying(const Observation& seen, const NodeName& node) {
  const DatabaseSeen* found = FindSeen(seen, node);
  return found != nullptr && found->process.known() && found->process->copy &&
         found->process->copy->phase == CopySeen::Phase::kCopying;
}

bool AdvanceRebuild(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!remembered.rebuild) return false;
  IntentRecord* record = FindIntent(c.memory, remembered.rebuild->intent);
  const auto copy = node.process.known() ? node.process->copy : std::nullopt;
  if (!copy || copy->id != remembered.rebuild->id) {
    const bool before = remembered.rebuild->ordered;
    OrderOrWait(c, node, record);
    return remembered.rebuild && remembered.rebuild->ordered && !before;
  }
  switch (copy->phase) {
    case CopySeen::Phase::kCopying:
      remembered.rebuild->give_up_at = c.now() + kPatience;
      Say(record, node.name.text + " is being made anew" +
                      (copy->how.empty() ? "" : " " + copy->how) + ": " + Progress(*copy, c.now()) +
                      ".");
      return true;
    case CopySeen::Phase::kInPlace:
      FollowUp(c, node, record);
      break;
    case CopySeen::Phase::kFailed:
      Fail(c, node, record, copy->why);
      break;
  }
  return false;
}

void DropOutdatedRebuilds(Context& c) {
  for (auto& [name, node] : c.memory.nodes) {
    if (!node.rebuild) continue;
    const bool opened = c.memory.promotion && c.memory.promotion->to == name;
    if (opened || c.memory.primary != node.rebuild->source || c.memory.epoch != node.rebuild->epoch)
      node.rebuild.reset();
  }
}

void EndUselessCopies(Context& c) {
  if (c.decision.plan.ordered) return;
  const bool primary_dead =
      c.memory.primary && Judge(c.spec, c.seen, c.memory, *c.memory.primary).life == Life::kDead;
  for (const DatabaseSeen& node : c.seen.databases) {
    if (!IsCopying(c.seen, node.name) || !node.can_fence) continue;
    const auto& rebuild = MemoryOf(std::as_const(c.memory), node.name).rebuild;
    const bool waited_for = rebuild && rebuild->id == node.process->copy->id;
    if (waited_for && !primary_dead) continue;
    if (c.decision.plan.empty()) c.decision.plan.purpose = "end the copy to " + node.name.text;
    c.Do(FenceServer{node.name},
         waited_for ? "its source is dead, and its own data may be all that is left"
                    : "nobody waits for this copy any more",
         kFenceStep);
  }
}

void CloseForgottenRebuilds(Context& c) {
  for (IntentRecord& record : c.memory.intents) {
    const auto* wish = std::get_if<Resync>(&record.intent.wish);
    if (wish == nullptr || record.state != IntentState::kUnderWay) continue;
    const auto& rebuild = MemoryOf(std::as_const(c.memory), wish->node).rebuild;
    if (rebuild && rebuild->intent == record.intent.id) continue;
    CloseIntent(
        c, record, IntentState::kSuperseded,
        "The cluster changed meanwhile. A copy that is not in place yet is ended; ask again "
        "when " +
            wish->node.text + " does not follow by itself.");
  }
}

void RebuildWhereDeclared(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!c.spec.database.split_brain.autofix || remembered.rebuild ||
      !remembered.rebuild_failed.empty() || !node.state.known() || !MayBeMadeAnew(c, node) ||
      !WhyNoRebuild(c.spec, c.seen, c.memory, node.name, false).empty()) {
    return;
  }
  const auto now = c.seen.taken_at.wall.time_since_epoch().count();
  BeginRebuild(c, node.name, "autofix-" + std::to_string(now), "", false);
}

void DiscardOldCopyOf(Context& c, const DatabaseSeen& node) {
  const bool there = node.process.known() && node.process->old_copy;
  if (!there || MemoryOf(c.memory, node.name).rebuild || !HasCaughtUp(c, node)) return;
  c.Do(DiscardOldCopy{node.name}, node.name.text + " has caught up on its new data", kQuickStep);
}

std::string Progress(const CopySeen& copy, TimePoint now) {
  const double done = static_cast<double>(copy.bytes);
  if (copy.expected <= 0 || copy.bytes <= 0) return "it has begun";
  const double all = std::max(static_cast<double>(copy.expected), done);
  const double seconds = static_cast<double>((now - copy.began).count()) / 1e6;
  std::string text = Bytes(done) + " of " + Bytes(all) + " (" +
                     std::to_string(static_cast<int>(100 * done / all)) + " %)";
  if (copy.bytes >= copy.expected) return text + ", being prepared";
  // The first moments tell no rate.
  if (seconds < 1 || done < all / 100) return text;
  const double rate = done / seconds;
  const Seconds left(static_cast<std::int64_t>((all - done) / rate) + 1);
  return text + ", " + Bytes(rate) + "/s, " + FormatDuration(left) + " left";
}

}  // namespace pandora_ha
