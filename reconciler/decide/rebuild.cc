#include "reconciler/decide/rebuild.h"

#include <array>
#include <cstdio>
#include <utility>

#include "reconciler/decide/diagnose.h"
#include "reconciler/decide/election.h"
#include "reconciler/decide/evidence.h"
#include "reconciler/decide/guards.h"
#include "reconciler/decide/intents.h"

namespace pandora_ha {
namespace {

// An order that nobody is seen to have taken up is given again.
constexpr Seconds kOrderAgain{10};

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
    case ResyncMethod::kAuto:
      return true;
    case ResyncMethod::kClone:
      return flavor == Flavor::kMySql;
    case ResyncMethod::kBackupStream:
      return flavor == Flavor::kMariaDb;
    case ResyncMethod::kDump:
    case ResyncMethod::kScript:
      break;
  }
  return false;
}

// What may be lost with the node's own data.
std::string WhyNotOver(const DatabaseSeen& node, const NodeMemory& remembered) {
  if (remembered.history == History::kDiverged) {
    return "it has transactions that the primary lacks (" + remembered.errant.ToString() +
           "); `--set-aside` keeps its data directory beside the new one";
  }
  if (node.process->phase == ProcessState::Phase::kNeverStarted) return "";
  if (remembered.history == History::kContained) return "";
  return "whether it has rows of its own is not known, because it could not be compared with the "
         "primary; `--set-aside` keeps its data directory beside the new one";
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

bool CaughtUp(const Context& c, const DatabaseSeen& node) {
  if (!node.state.known() || !node.state->replication || node.state->writable) return false;
  const ReplicationSeen& channel = *node.state->replication;
  const DatabaseNodeSpec* primary = FindNode(c.spec, *c.memory.primary);
  return channel.source.host == primary->address && channel.io == ThreadState::kRunning &&
         channel.sql == ThreadState::kRunning && channel.applied_all && channel.lag &&
         *channel.lag <= c.spec.database.replication.max_lag &&
         MemoryOf(std::as_const(c.memory), node.name).history == History::kContained;
}

// The copy is the node's data, and does not serve: the binary logs that it needs are gone already,
// or it was made of a primary that has been replaced since.
std::string WhyUseless(const DatabaseSeen& node, const NodeMemory& remembered) {
  if (remembered.history == History::kDiverged)
    return "the copy holds transactions that the present primary lacks";
  if (node.state.known() && node.state->replication && OnlyACopyHelps(*node.state->replication))
    return "the primary has purged the binary logs that the copy needs";
  return "";
}

bool CommitsWaitNow(const Context& c) {
  const SemiSyncSeen& semi_sync = FindSeen(c.seen, *c.memory.primary)->state->semi_sync;
  return semi_sync.source_waiting && semi_sync.acknowledgers == 0;
}

void Say(IntentRecord* record, std::string says) {
  if (record != nullptr) record->says = std::move(says);
}

void GiveUp(Context& c, const DatabaseSeen& node, IntentRecord* record, const std::string& why) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  remembered.rebuild_failed = why;
  remembered.rebuild.reset();
  if (record == nullptr) return;
  CloseIntent(c, *record, IntentState::kTakenBack,
              "Given up: " + why + ". " + node.name.text + " has the data of before.");
}

// One attempt is over without success; the next follows later, or none.
void Fail(Context& c, const DatabaseSeen& node, IntentRecord* record, const std::string& why) {
  Rebuild& rebuild = *MemoryOf(c.memory, node.name).rebuild;
  const ResyncSpec& spec = c.spec.database.resync;
  const std::string attempt = std::to_string(++rebuild.failures);
  if (rebuild.failures > spec.wait_retries)
    return GiveUp(c, node, record, why + " (attempt " + attempt + ", the last)");
  rebuild.id = rebuild.id.substr(0, rebuild.id.find('.')) + "." + attempt;
  rebuild.not_before = c.now() + spec.sleep;
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
  remembered.deposed = remembered.discard = false;
  if (CaughtUp(c, node)) return Finish(c, node, record);
  if (const std::string why = WhyUseless(node, remembered); !why.empty())
    return Fail(c, node, record, why);
  Say(record, node.name.text + " has its new data and is catching up.");
}

// How its old data stood to the primary's says nothing of the new.
void ForgetVerdict(NodeMemory& remembered) {
  remembered.history = History::kUnjudged;
  remembered.errant = remembered.executed = {};
}

void Order(Context& c, const DatabaseSeen& node, IntentRecord* record) {
  ForgetVerdict(MemoryOf(c.memory, node.name));
  Rebuild& rebuild = *MemoryOf(c.memory, node.name).rebuild;
  const DatabaseSeen& primary = *FindSeen(c.seen, *c.memory.primary);
  rebuild.not_before = c.now() + kOrderAgain;
  Say(record, node.name.text + " is about to be made anew from " + primary.name.text + ".");
  c.Do(RebuildServer{node.name, primary.name, rebuild.id, primary.state->executed,
                     rebuild.set_aside},
       record != nullptr ? record->intent.by + " asked for it" : "only a copy helps it", kStartStep,
       {IsWritable{primary.name}});
}

}  // namespace

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
    return "spec.database.resync.method is not one that this version knows for " +
           std::string(ToString(primary->state->version.flavor)) + "; say auto";
  }
  if (const std::string waits = WhyCommitsWait(spec, *primary, *target); !waits.empty())
    return waits;
  return set_aside ? "" : WhyNotOver(*target, MemoryOf(memory, node));
}

bool AdvanceRebuild(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!remembered.rebuild) return false;
  if (!node.process.known()) return true;
  IntentRecord* record = FindIntent(c.memory, remembered.rebuild->intent);
  const auto& copy = node.process->copy;
  if (copy && copy->id == remembered.rebuild->id) {
    switch (copy->phase) {
      case CopySeen::Phase::kCopying:
        ForgetVerdict(remembered);
        Say(record, node.name.text + " is being made anew: " + Progress(*copy, c.now()) + ".");
        return true;
      case CopySeen::Phase::kInPlace:
        FollowUp(c, node, record);
        return false;
      case CopySeen::Phase::kFailed:
        Fail(c, node, record, copy->why);
        return false;
    }
  }
  if (c.now() < remembered.rebuild->not_before) return false;
  std::string why =
      WhyNoRebuild(c.spec, c.seen, c.memory, node.name, remembered.rebuild->set_aside);
  if (why.empty() && CommitsWaitNow(c)) why = "commits wait for an acknowledgement at the moment";
  if (why.empty()) {
    Order(c, node, record);
    return true;
  }
  Say(record, "Waiting: " + why + ".");
  if (record != nullptr && c.now() >= record->give_up_at) GiveUp(c, node, record, why);
  return false;
}

void CloseForgottenRebuilds(Context& c) {
  for (IntentRecord& record : c.memory.intents) {
    const auto* wish = std::get_if<Resync>(&record.intent.wish);
    if (wish == nullptr || record.state != IntentState::kUnderWay) continue;
    const auto& rebuild = MemoryOf(std::as_const(c.memory), wish->node).rebuild;
    if (rebuild && rebuild->intent == record.intent.id) continue;
    CloseIntent(c, record, IntentState::kSuperseded,
                "The cluster changed meanwhile. A copy that has begun goes on, and " +
                    wish->node.text + " is kept as declared.");
  }
}

void RebuildWhereDeclared(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!c.spec.database.split_brain.autofix || remembered.rebuild ||
      !remembered.rebuild_failed.empty() || !node.state.known() || !node.state->replication ||
      !OnlyACopyHelps(*node.state->replication) ||
      !WhyNoRebuild(c.spec, c.seen, c.memory, node.name, false).empty()) {
    return;
  }
  remembered.rebuild = Rebuild{};
  remembered.rebuild->id =
      "autofix-" + std::to_string(c.seen.taken_at.wall.time_since_epoch().count());
}

void DiscardOldCopyOf(Context& c, const DatabaseSeen& node) {
  const bool there = node.process.known() && node.process->old_copy;
  if (!there || MemoryOf(c.memory, node.name).rebuild || !CaughtUp(c, node)) return;
  c.Do(DiscardOldCopy{node.name}, node.name.text + " has caught up on its new data", kQuickStep);
}

std::string Progress(const CopySeen& copy, TimePoint now) {
  const double done = static_cast<double>(copy.bytes);
  if (copy.expected <= 0 || copy.bytes <= 0) return "it has begun";
  const double all = std::max(static_cast<double>(copy.expected), done);
  const double seconds = static_cast<double>((now - copy.began).count()) / 1e6;
  std::string text = Bytes(done) + " of " + Bytes(all) + " (" +
                     std::to_string(static_cast<int>(100 * done / all)) + " %)";
  if (seconds < 1) return text;
  const double rate = done / seconds;
  return text + ", " + Bytes(rate) + "/s, " +
         FormatDuration(Seconds(static_cast<std::int64_t>((all - done) / rate))) + " left";
}

}  // namespace pandora_ha
