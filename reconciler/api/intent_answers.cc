#include "reconciler/api/intent_answers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

Answer Document(int status, const json& value) {
  return {status, "application/json", PrintJson(value) + "\n"};
}

const IntentRecord* FindRecord(const Memory& memory, const std::string& id) {
  const auto found = std::find_if(memory.intents.begin(), memory.intents.end(),
                                  [&](const IntentRecord& r) { return r.intent.id == id; });
  return found == memory.intents.end() ? nullptr : &*found;
}

}  // namespace

Answer IntentAnswers::Ask(const Request& request, std::string_view query) const {
  const bool dry_run = query == "dryRun=true";
  if (!dry_run && !query.empty())
    return Failure(400, "The one parameter is dryRun=true; nothing was asked for.");
  const auto body = ParseJson(request.body);
  if (!body.ok()) return Failure(400, body.error().message);
  auto intent = IntentFromJson(*body);
  if (!intent.ok()) return Failure(400, intent.error().message);
  intent->by = request.user;
  intent->asked_at = clock_.Now().wall;
  if (const auto known = Find(intent->id)) {
    if (known->intent.wish == intent->wish) return Document(200, known->told);
    return Failure(409, "The id " + intent->id + " is that of another intent (" +
                            Describe(known->intent.wish) + "); choose a new one.");
  }
  if (dry_run) return DryRun(*intent);
  const Status asked = desk_.ask(last_.spec.name, *intent);
  if (!asked.ok())
    return Failure(asked.error().code == ErrorCode::kConflict ? 409 : 500, asked.error().message);
  return Document(202, PendingToJson(*intent));
}

Answer IntentAnswers::DryRun(const Intent& intent) const {
  const Decision decision = desk_.would(last_, intent);
  const IntentRecord* record = FindRecord(decision.memory, intent.id);
  const Instant& now = last_.seen.taken_at;
  json out = ToJson(decision, now);
  out["name"] = last_.spec.name;
  out["dryRun"] = true;
  out["intent"] = record == nullptr ? PendingToJson(intent) : ToJson(*record, now);
  if (const auto& promotion = decision.memory.promotion) {
    const auto& next = promotion->to ? promotion->to : promotion->wanted;
    if (next) out["nextPrimary"] = next->text;
  }
  return Document(200, out);
}

std::optional<IntentAnswers::Known> IntentAnswers::Find(const std::string& id) const {
  if (const IntentRecord* record = FindRecord(last_.decision.memory, id))
    return Known{record->intent, ToJson(*record, last_.seen.taken_at)};
  for (const Intent& intent : pending_) {
    if (intent.id == id) return Known{intent, PendingToJson(intent)};
  }
  return std::nullopt;
}

Answer IntentAnswers::All() const {
  json list = json::array();
  for (const IntentRecord& record : last_.decision.memory.intents)
    list.push_back(ToJson(record, last_.seen.taken_at));
  for (const Intent& intent : pending_) {
    if (FindRecord(last_.decision.memory, intent.id) == nullptr)
      list.push_back(PendingToJson(intent));
  }
  return Document(200, {{"name", last_.spec.name}, {"intents", std::move(list)}});
}

Answer IntentAnswers::One(const std::string& id) const {
  const auto found = Find(id);
  if (found) return Document(200, found->told);
  return Failure(
      404, "No such intent is known: it was never asked for here, " + std::to_string(kIntentsKept) +
               " newer ones are over, or the manager was restarted or lost its right to act "
               "before it was taken up. `pandora-ha status` shows how the cluster is.");
}

}  // namespace pandora_ha
