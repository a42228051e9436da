// The history: what changed between two looks, in a closed set of reasons.
#include <algorithm>

#include "reconciler/decide/status_of.h"

namespace pandora_ha {
namespace {

using enum FindingCode;

const Finding* Find(const ClusterStatus& status, FindingCode code,
                    const std::optional<NodeName>& about) {
  const auto& all = status.findings;
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Finding& f) { return f.code == code && f.about == about; });
  return found == all.end() ? nullptr : &*found;
}

bool HasAny(const ClusterStatus& status, FindingCode code) {
  const auto& all = status.findings;
  return std::any_of(all.begin(), all.end(), [&](const Finding& f) { return f.code == code; });
}

class Chronicle {
 public:
  Chronicle(const ClusterStatus& before, const ClusterStatus& after, const Decision& decision)
      : before_(before), after_(after), decision_(decision) {}

  std::vector<Event> Write() {
    if (before_.name.empty()) {
      Add("ManagerStarted", Severity::kInfo, std::nullopt,
          "A manager began to look after " + after_.name + ". " + after_.verdict);
      // What stands in the way already is news to whoever reads from here on; a first start that
      // waits for its servers is not.
      if (after_.primary) Blocks();
      return std::move(events_);
    }
    Document();
    Intents();
    Promotions();
    Reopened();
    Blocks();
    Rebuilds();
    Archives();
    Merges();
    Rewinds();
    Verifications();
    Replicas();
    Durability();
    Findings();
    Managers();
    States();
    return std::move(events_);
  }

 private:
  // One per look and subject: a look has one date, so the same change gives the same id.
  void Add(const char* reason, Severity severity, const std::optional<NodeName>& about,
           std::string message) {
    const auto number = std::to_string(after_.observed_at.time_since_epoch().count());
    std::string id = std::string(reason) + "." + (about ? about->text : after_.name) + "." +
                     std::to_string(after_.epoch.number) + "." + number;
    const auto same = std::count_if(events_.begin(), events_.end(), [&](const Event& e) {
      return e.reason == reason && e.about == about;
    });
    if (same > 0) id += "." + std::to_string(same);
    events_.push_back({std::move(id), after_.observed_at, severity, reason, about, after_.epoch,
                       std::move(message)});
  }

  void Document() {
    if (after_.document_changes.empty()) return;
    std::string says = "The changed document is in force: ";
    for (const std::string& change : after_.document_changes) says += change + "; ";
    says.replace(says.size() - 2, 2, ".");
    Add("DocumentChanged", Severity::kInfo, std::nullopt, std::move(says));
  }

  const IntentRecord* RecordBefore(const std::string& id) const {
    for (const IntentRecord& record : before_.intents) {
      if (record.intent.id == id) return &record;
    }
    return nullptr;
  }

  void Intents() {
    for (const IntentRecord& record : after_.intents) {
      const IntentRecord* before = RecordBefore(record.intent.id);
      const bool begun = before == nullptr && record.state == IntentState::kUnderWay;
      if (before != nullptr && before->state == record.state) continue;
      const std::string asked =
          record.intent.by + " asked for: " + Describe(record.intent.wish) +
          (record.intent.reason.empty() ? "" : " (" + record.intent.reason + ")") + ". ";
      Add(ReasonOf(record.state),
          begun || record.state == IntentState::kDone ? Severity::kInfo : Severity::kWarning,
          std::nullopt, asked + record.says);
    }
  }

  static const char* ReasonOf(IntentState state) {
    switch (state) {
      case IntentState::kUnderWay:
        return "IntentTakenUp";
      case IntentState::kDone:
        return "IntentDone";
      case IntentState::kRefused:
        return "IntentRefused";
      case IntentState::kTakenBack:
        return "IntentTakenBack";
      case IntentState::kSuperseded:
        return "IntentSuperseded";
    }
    return "";
  }

  // The change of primary that is over now was a switchover.
  bool WasPlanned() const {
    return std::any_of(after_.intents.begin(), after_.intents.end(), [&](const IntentRecord& r) {
      const IntentRecord* before = RecordBefore(r.intent.id);
      return std::holds_alternative<Switchover>(r.intent.wish) && before != nullptr &&
             before->state == IntentState::kUnderWay;
    });
  }

  void Promotions() {
    const auto& promotion = decision_.memory.promotion;
    const bool was_promoting = HasAny(before_, kPromotionUnderWay);
    const std::string epoch = " (epoch " + std::to_string(after_.epoch.number) + ")";
    if (promotion && promotion->from && (!was_promoting || before_.epoch != after_.epoch)) {
      const bool planned = promotion->planned;
      Add(planned ? "SwitchoverStarted" : "FailoverStarted",
          planned ? Severity::kInfo : Severity::kWarning, promotion->from,
          (planned ? "A switchover" : "A failover") + epoch + " began: " + promotion->because +
              ".");
    }
    if (after_.primary != before_.primary && after_.primary) {
      const std::string to = after_.primary->text;
      if (!was_promoting) {
        Add("PrimaryAdopted", Severity::kWarning, after_.primary,
            to + " is taken over as primary" + epoch + ", as somebody else decided.");
      } else if (before_.primary) {
        Add(WasPlanned() ? "SwitchoverDone" : "FailoverDone",
            WasPlanned() ? Severity::kInfo : Severity::kWarning, after_.primary,
            to + " is primary" + epoch + " in place of " + before_.primary->text + ".");
      } else {
        Add("FirstPrimary", Severity::kInfo, after_.primary,
            to + " is the first primary" + epoch + ".");
      }
    } else if (was_promoting && !promotion && after_.primary) {
      Add(WasPlanned() ? "SwitchoverWithdrawn" : "FailoverWithdrawn", Severity::kInfo,
          after_.primary,
          (WasPlanned() ? "The switchover" : "The failover") +
              std::string(" was taken back before anybody was opened: ") + after_.primary->text +
              " stays primary" + epoch + ".");
    }
  }

  void Reopened() {
    if (!after_.primary || before_.primary != after_.primary) return;
    if (Find(before_, kPrimaryReadOnly, after_.primary) == nullptr) return;
    for (const NodeStatus& node : after_.nodes) {
      if (node.name == after_.primary && node.writable == true) {
        Add("PrimaryReopened", Severity::kInfo, node.name,
            node.name.text +
                " was read-only, after a restart or by a person's hand, and accepts writes again; "
                "before maintenance, `pandora-ha pause`.");
      }
    }
  }

  // The other blocks say that no failover is needed yet.
  bool HoldsUpFailover(const Blocked& blocked) const {
    const std::string begins = std::string(ToString(blocked.reason)) + ": ";
    return std::any_of(after_.findings.begin(), after_.findings.end(), [&](const Finding& f) {
      return f.code == kFailoverBlocked && f.says.starts_with(begins);
    });
  }

  void Blocks() {
    for (const Blocked& blocked : after_.blocked) {
      if (!HoldsUpFailover(blocked)) continue;
      const bool already =
          std::any_of(before_.blocked.begin(), before_.blocked.end(),
                      [&](const Blocked& b) { return b.reason == blocked.reason; });
      if (already) continue;
      Add("FailoverBlocked", Severity::kCritical, after_.primary,
          std::string(ToString(blocked.reason)) + ": " + blocked.says +
              " Who can unblock it: " + blocked.who + ".");
    }
  }

  static const Finding* LostReplica(const ClusterStatus& status, const NodeName& node) {
    for (const FindingCode code :
         {kReplicaDown, kReplicaUnreachable, kReplicaBroken, kReplicaStopped}) {
      if (const Finding* finding = Find(status, code, node)) return finding;
    }
    return nullptr;
  }

  void Replicas() {
    for (const NodeStatus& node : after_.nodes) {
      const Finding* lost = LostReplica(after_, node.name);
      const bool was_lost = LostReplica(before_, node.name) != nullptr;
      // A promotion stops the replicas' channels itself.
      const bool by_us = lost != nullptr && lost->code == kReplicaStopped &&
                         (decision_.memory.promotion || HasAny(before_, kPromotionUnderWay));
      if (lost != nullptr && !was_lost && !by_us) {
        Add("ReplicaLost", Severity::kWarning, node.name, lost->says);
      } else if (was_lost && lost == nullptr && after_.primary && node.name != after_.primary &&
                 node.replication == "running") {
        Add("ReplicaBack", Severity::kInfo, node.name,
            node.name.text + " follows " + after_.primary->text + ".");
      }
    }
  }

  void Durability() {
    if (after_.durability_declared != DurabilityMode::kSemiSync ||
        before_.durability_in_force == after_.durability_in_force)
      return;
    if (after_.durability_in_force == DurabilityMode::kSemiSync) {
      Add("DurabilityRestored", Severity::kInfo, after_.primary,
          "An acknowledged row is on two servers again.");
    } else {
      Add("DurabilityDegraded", Severity::kWarning, after_.primary,
          "Commits do not wait for a replica: a failover could lose acknowledged rows.");
    }
  }

  // Told by an event of their own, or passing by in every start of a channel.
  static bool ToldElsewhere(FindingCode code) {
    static const FindingCode codes[] = {
        kPromotionUnderWay, kFailoverBlocked,  kReplicaDown,       kReplicaUnreachable,
        kReplicaBroken,     kReplicaStopped,   kReplicaConnecting, kReplicaLagUnknown,
        kSuspended,         kSemiSyncDegraded, kNodeRebuilding,    kRebuildFailed,
        kArchiveFailed,     kNodeMerging,      kMergeFailed,       kNodeRewinding,
        kNoPrimaryYet,      kPrimaryReadOnly,  kSemiSyncNotWaiting};
    return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
  }

  void Rebuilds() {
    for (const NodeStatus& node : after_.nodes) {
      const Finding* before = Find(before_, kNodeRebuilding, node.name);
      const Finding* after = Find(after_, kNodeRebuilding, node.name);
      const Finding* failed = Find(after_, kRebuildFailed, node.name);
      if (before == nullptr && after != nullptr)
        Add("ResyncStarted", Severity::kWarning, node.name, after->says);
      if (before == nullptr || after != nullptr) continue;
      if (failed != nullptr) {
        Add("ResyncFailed", Severity::kCritical, node.name, failed->says);
      } else if (node.replication == "running" && !HasAny(after_, kAnotherManagerActs)) {
        Add("ResyncDone", Severity::kInfo, node.name,
            "The data of " + node.name.text + " was made anew; it follows.");
      } else {
        Add("ResyncFailed", Severity::kWarning, node.name,
            "The resync of " + node.name.text + " is over: the cluster changed meanwhile.");
      }
    }
  }

  void Archives() {
    for (const NodeStatus& node : after_.nodes) {
      const Finding* failed = Find(after_, kArchiveFailed, node.name);
      const Finding* diverged = Find(after_, kNodeDiverged, node.name);
      if (failed != nullptr && Find(before_, kArchiveFailed, node.name) == nullptr)
        Add("ArchiveFailed", Severity::kCritical, node.name, failed->says);
      if (node.archive.empty() || diverged == nullptr) continue;
      const bool news =
          std::none_of(before_.nodes.begin(), before_.nodes.end(), [&](const NodeStatus& other) {
            return other.name == node.name && other.archive == node.archive;
          });
      if (news) Add("RowsArchived", Severity::kWarning, node.name, diverged->says);
    }
  }

  void Merges() {
    for (const NodeStatus& node : after_.nodes) {
      const Finding* failed = Find(after_, kMergeFailed, node.name);
      if (failed != nullptr && Find(before_, kMergeFailed, node.name) == nullptr)
        Add("MergeFailed", Severity::kCritical, node.name, failed->says);
      if (!node.merged) continue;
      const bool news =
          std::none_of(before_.nodes.begin(), before_.nodes.end(), [&](const NodeStatus& other) {
            return other.name == node.name && other.archive == node.archive && other.merged;
          });
      if (!news) continue;
      Add("RowsMerged", Severity::kWarning, node.name,
          "What " + node.name.text + " committed by itself, kept in " + node.archive + ": " +
              Describe(*node.merged) + ".");
    }
  }

  void Rewinds() {
    for (const NodeStatus& node : after_.nodes) {
      if (Find(before_, kNodeRewinding, node.name) == nullptr ||
          Find(after_, kNodeRewinding, node.name) != nullptr ||
          Find(after_, kNodeDiverged, node.name) != nullptr || HasAny(after_, kAnotherManagerActs))
        continue;
      Add("NodeRewound", Severity::kWarning, node.name,
          "What " + node.name.text +
              " committed by itself was taken back on it; it stays archived.");
    }
  }

  // Over without a finding: nothing differs.
  void Verifications() {
    for (const NodeStatus& node : after_.nodes) {
      const auto owed = [&node](const ClusterStatus& status) {
        return Find(status, kNodeVerifying, node.name) != nullptr ||
               Find(status, kNotVerified, node.name) != nullptr ||
               Find(status, kRowsDiffer, node.name) != nullptr;
      };
      if (owed(before_) && !owed(after_) && node.replication == "running" &&
          !HasAny(after_, kAnotherManagerActs) && after_.epoch == before_.epoch)
        Add("NodeVerified", Severity::kInfo, node.name,
            node.name.text + " has the same rows as the primary.");
    }
  }

  void Findings() {
    for (const Finding& finding : after_.findings) {
      const bool asked = finding.code == kPaused || finding.code == kFenced;  // see Intents
      if (finding.severity == Severity::kInfo || ToldElsewhere(finding.code) || asked ||
          Find(before_, finding.code, finding.about) != nullptr)
        continue;
      const char* reason = finding.code == kStepFailed     ? "StepFailed"
                           : finding.code == kNodeDiverged ? "NodeDiverged"
                           : finding.code == kLossPossible ? "LossPossible"
                                                           : "FindingRaised";
      const std::string code(ToString(finding.code));
      Add(reason, finding.severity, finding.about,
          reason == std::string_view("FindingRaised") ? code + ": " + finding.says : finding.says);
    }
    for (const Finding& finding : before_.findings) {
      if (finding.severity == Severity::kInfo || ToldElsewhere(finding.code) ||
          finding.code == kStepFailed || finding.code == kLossPossible ||
          Find(after_, finding.code, finding.about) != nullptr)
        continue;
      Add("FindingCleared", Severity::kInfo, finding.about,
          std::string(ToString(finding.code)) + " is over.");
    }
  }

  void Managers() {
    const Finding* before = Find(before_, kAnotherManagerActs, std::nullopt);
    const Finding* after = Find(after_, kAnotherManagerActs, std::nullopt);
    if (after != nullptr && before == nullptr)
      Add("StandsBy", Severity::kInfo, std::nullopt, after->says);
    if (after == nullptr && before != nullptr)
      Add("TookOver", Severity::kWarning, std::nullopt,
          "This manager acts on the cluster now. It was told before: " + before->says);
  }

  void States() {
    if (before_.state == after_.state) return;
    if (after_.state == ClusterState::kSplitBrain)
      Add("SplitBrain", Severity::kCritical, after_.primary, after_.verdict);
    if (after_.state == ClusterState::kSuspended)
      Add("Suspended", Severity::kInfo, std::nullopt, "spec.suspend was set.");
    if (before_.state == ClusterState::kSuspended)
      Add("Resumed", Severity::kInfo, std::nullopt, "spec.suspend was taken away.");
    // A first start has not failed: it has no primary yet.
    const bool starts = !before_.primary && !after_.primary && after_.blocked.empty();
    const Severity severity = after_.state == ClusterState::kHealthy || starts ? Severity::kInfo
                              : after_.state == ClusterState::kDegraded ||
                                      after_.state == ClusterState::kSuspended ||
                                      after_.state == ClusterState::kResyncing
                                  ? Severity::kWarning
                                  : Severity::kCritical;
    Add("StateChanged", severity, std::nullopt,
        std::string(ToString(before_.state)) + " → " + after_.verdict);
  }

  const ClusterStatus& before_;
  const ClusterStatus& after_;
  const Decision& decision_;
  std::vector<Event> events_;
};

}  // namespace

std::vector<Event> EventsOf(const ClusterStatus& before, const ClusterStatus& after,
                            const Decision& decision, const Report& /*report*/) {
  return Chronicle(before, after, decision).Write();
}

}  // namespace pandora_ha
