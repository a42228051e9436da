#include "reconciler/api/explain.h"

#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

json DatedBlocks(const Snapshot& snapshot) {
  json blocked = json::array();
  for (const Blocked& one : snapshot.status.blocked)
    blocked.push_back(ToJson(one, snapshot.seen.taken_at));
  return blocked;
}

// The newest last.
json Intents(const Snapshot& snapshot, bool only_under_way) {
  json list = json::array();
  for (const IntentRecord& record : snapshot.status.intents) {
    if (only_under_way && record.state != IntentState::kUnderWay) continue;
    list.push_back(ToJson(record, snapshot.seen.taken_at));
  }
  return list;
}

}  // namespace

json StatusDocument(const Snapshot& snapshot) {
  json out = ToJson(snapshot.status);
  out["blocked"] = DatedBlocks(snapshot);
  out["intents"] = Intents(snapshot, true);
  return out;
}

json PlanDocument(const Snapshot& snapshot) {
  const ClusterStatus& status = snapshot.status;
  return {{"name", status.name},
          {"state", ToString(status.state)},
          {"verdict", status.verdict},
          {"observedAt", FormatWallTime(status.observed_at)},
          {"plan", ToJson(snapshot.decision.plan)},
          {"report", ToJson(snapshot.report)},
          {"blocked", DatedBlocks(snapshot)}};
}

json ExplainDocument(const Snapshot& snapshot, const std::vector<Event>& events) {
  json out = StatusDocument(snapshot);
  out["intents"] = Intents(snapshot, false);
  out["spec"] = SummaryToJson(snapshot.spec);
  out["observation"] = ToJson(snapshot.seen);
  out["plan"] = ToJson(snapshot.decision.plan);
  out["report"] = ToJson(snapshot.report);
  out["lookAgainInMicroseconds"] = snapshot.decision.look_again_in.count();
  if (const auto& promotion = snapshot.decision.memory.promotion) {
    json one = {{"epoch", promotion->epoch.number},
                {"because", promotion->because},
                {"beganAt", FormatWallTime(promotion->began_at)},
                {"fenceWaived", promotion->fence_waived},
                {"planned", promotion->planned}};
    if (!promotion->intent.empty()) one["intent"] = promotion->intent;
    if (promotion->from) one["from"] = promotion->from->text;
    if (promotion->to) one["to"] = promotion->to->text;
    out["promotion"] = std::move(one);
  }
  out["events"] = json::array();
  for (const Event& event : events) out["events"].push_back(ToJson(event));
  return out;
}

}  // namespace pandora_ha
