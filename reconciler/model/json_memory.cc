// Memory and events, both ways.
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"
#include "reconciler/model/json_fields.h"

namespace pandora_ha {

static std::string_view ToString(History history) {
  switch (history) {
    case History::kUnjudged:
      return "unjudged";
    case History::kContained:
      return "contained";
    case History::kDiverged:
      return "diverged";
  }
  return "";
}

namespace {

using nlohmann::json;

constexpr int kFormat = 1;

// {"0-1": "1-17"}: source → ranges. ToString() of a set is shorter but tells only the last number
// of a MariaDB source, and a difference of two sets does not begin at 1.
json GtidsToJson(const GtidSet& set) {
  json out = json::object();
  for (const auto& [source, ranges] : set.sources()) {
    std::string text;
    for (const GtidSet::Range& range : ranges) {
      text += (text.empty() ? "" : ":") + std::to_string(range.first) + "-" +
              std::to_string(range.last);
    }
    out[source] = text;
  }
  return out;
}

json NodeToJson(const NodeMemory& node) {
  json out = {{"failedLooks", node.failed_looks},
              {"attemptsCounted", node.attempts_counted},
              {"arrivalToken", node.arrival_token},
              {"arrivalChanged", Count(node.arrival_changed)},
              {"received", GtidsToJson(node.received)},
              {"runId", node.run_id},
              {"lossless", node.lossless},
              {"mayAcknowledge", node.may_acknowledge},
              {"history", ToString(node.history)},
              {"executed", GtidsToJson(node.executed)},
              {"executedAt", Count(node.executed_at)},
              {"errant", GtidsToJson(node.errant)},
              {"deposed", node.deposed},
              {"discard", node.discard},
              {"starts", node.starts}};
  if (node.unanswered_since) out["unansweredSince"] = Count(*node.unanswered_since);
  if (node.unwitnessed_since) out["unwitnessedSince"] = Count(*node.unwitnessed_since);
  if (node.not_acknowledging_since)
    out["notAcknowledgingSince"] = Count(*node.not_acknowledging_since);
  if (node.start_not_before) out["startNotBefore"] = Count(*node.start_not_before);
  if (node.receive_not_before) out["receiveNotBefore"] = Count(*node.receive_not_before);
  if (node.rebuild) {
    out["rebuild"] = {{"id", node.rebuild->id},
                      {"intent", node.rebuild->intent},
                      {"source", node.rebuild->source.text},
                      {"epoch", node.rebuild->epoch.number},
                      {"setAside", node.rebuild->set_aside},
                      {"failures", node.rebuild->failures},
                      {"ordered", node.rebuild->ordered},
                      {"inPlace", node.rebuild->in_place},
                      {"notBefore", Count(node.rebuild->not_before)},
                      {"giveUpAt", Count(node.rebuild->give_up_at)}};
  }
  if (node.archive) {
    out["archive"] = {{"id", node.archive->id},
                      {"own", GtidsToJson(node.archive->own)},
                      {"done", node.archive->done},
                      {"failures", node.archive->failures},
                      {"notBefore", Count(node.archive->not_before)},
                      {"place", node.archive->place},
                      {"divergence", ToJson(node.archive->divergence)},
                      {"why", node.archive->why}};
  }
  if (node.merge) {
    out["merge"] = {{"id", node.merge->id},
                    {"archive", node.merge->archive},
                    {"epoch", node.merge->epoch.number},
                    {"done", node.merge->done},
                    {"rows", ToJson(node.merge->rows)},
                    {"tries", node.merge->tries},
                    {"failures", node.merge->failures},
                    {"notBefore", Count(node.merge->not_before)},
                    {"waitsFor", node.merge->waits_for},
                    {"why", node.merge->why}};
  }
  if (node.rewind) {
    out["rewind"] = {{"id", node.rewind->id},
                     {"archive", node.rewind->archive},
                     {"failures", node.rewind->failures},
                     {"refused", node.rewind->refused},
                     {"notBefore", Count(node.rewind->not_before)},
                     {"why", node.rewind->why}};
  }
  if (node.verification) {
    out["verification"] = {{"id", node.verification->id},
                           {"epoch", node.verification->epoch.number},
                           {"tries", node.verification->tries},
                           {"failures", node.verification->failures},
                           {"notBefore", Count(node.verification->not_before)},
                           {"differs", node.verification->differs},
                           {"why", node.verification->why}};
  }
  if (!node.rebuild_failed.empty()) out["rebuildFailed"] = node.rebuild_failed;
  return out;
}

json LossToJson(const Loss& loss) {
  json out = {{"from", loss.from.text},
              {"epoch", loss.epoch.number},
              {"count", loss.count},
              {"exact", loss.exact},
              {"at", FormatWallTime(loss.at)}};
  if (loss.holder) out["holder"] = loss.holder->text;
  return out;
}

json PromotionToJson(const Promotion& promotion) {
  json out = {{"epoch", promotion.epoch.number},
              {"because", promotion.because},
              {"beganAt", FormatWallTime(promotion.began_at)},
              {"began", Count(promotion.began)},
              {"lossless", promotion.lossless},
              {"fenceWaived", promotion.fence_waived},
              {"intent", promotion.intent},
              {"planned", promotion.planned},
              {"lossAllowed", promotion.loss_allowed}};
  if (promotion.from) out["from"] = promotion.from->text;
  if (promotion.to) out["to"] = promotion.to->text;
  if (promotion.wanted) out["wanted"] = promotion.wanted->text;
  return out;
}

bool AddSource(const std::string& source, const std::string& ranges, GtidSet* out) {
  if (source.size() >= 36) {  // a uuid, with or without a tag: the server's own notation
    const auto set = GtidSet::Parse(Flavor::kMySql, source + ":" + ranges);
    if (set.ok()) *out = out->Union(*set);
    return set.ok();
  }
  std::size_t at = 0;
  while (at <= ranges.size()) {
    const std::size_t end = std::min(ranges.find(':', at), ranges.size());
    unsigned long long first = 0;
    unsigned long long last = 0;
    int used = 0;
    const std::string range = ranges.substr(at, end - at);
    if (std::sscanf(range.c_str(), "%llu-%llu%n", &first, &last, &used) != 2 ||
        static_cast<std::size_t>(used) != range.size() || first == 0 || last < first) {
      return false;
    }
    const auto all = GtidSet::Parse(Flavor::kMariaDb, source + "-" + std::to_string(last));
    const auto before = GtidSet::Parse(Flavor::kMariaDb, source + "-" + std::to_string(first - 1));
    if (!all.ok() || !before.ok()) return false;
    *out = out->Union(all->Subtract(*before));
    at = end + 1;
  }
  return true;
}

}  // namespace

static void ReadFields(Fields& fields, GtidSet* out) {
  for (const std::string& source : fields.Keys()) {
    std::string ranges;
    fields.Need(source, &ranges);
    if (fields.failed()) return;
    if (!AddSource(source, ranges, out)) fields.Fail(source, "ranges as 1-5:7-9");
  }
}

static void ReadFields(Fields& fields, Promotion* out) {
  fields.Need("epoch", &out->epoch);
  fields.Need("because", &out->because);
  fields.Need("beganAt", &out->began_at);
  fields.Need("began", &out->began);
  fields.Need("lossless", &out->lossless);
  fields.Need("fenceWaived", &out->fence_waived);
  fields.May("from", &out->from);
  fields.May("to", &out->to);
  fields.May("intent", &out->intent);
  fields.May("wanted", &out->wanted);
  fields.May("planned", &out->planned);
  fields.May("lossAllowed", &out->loss_allowed);
}

static void ReadFields(Fields& fields, Loss* out) {
  fields.Need("from", &out->from);
  fields.Need("epoch", &out->epoch);
  fields.Need("count", &out->count);
  fields.Need("exact", &out->exact);
  fields.May("holder", &out->holder);
  fields.Need("at", &out->at);
}

static void ReadFields(Fields& fields, Rebuild* out) {
  fields.Need("id", &out->id);
  fields.Need("intent", &out->intent);
  fields.Need("source", &out->source);
  fields.Need("epoch", &out->epoch);
  fields.Need("setAside", &out->set_aside);
  fields.Need("failures", &out->failures);
  fields.Need("ordered", &out->ordered);
  fields.Need("inPlace", &out->in_place);
  fields.Need("notBefore", &out->not_before);
  fields.Need("giveUpAt", &out->give_up_at);
}

static void ReadFields(Fields& fields, Archive* out) {
  fields.Need("id", &out->id);
  fields.Need("own", &out->own);
  fields.Need("done", &out->done);
  fields.Need("failures", &out->failures);
  fields.Need("notBefore", &out->not_before);
  fields.Need("place", &out->place);
  fields.Need("divergence", &out->divergence);
  fields.Need("why", &out->why);
}

static void ReadFields(Fields& fields, Merge* out) {
  fields.Need("id", &out->id);
  fields.Need("archive", &out->archive);
  fields.Need("epoch", &out->epoch);
  fields.Need("done", &out->done);
  fields.Need("rows", &out->rows);
  fields.Need("tries", &out->tries);
  fields.Need("failures", &out->failures);
  fields.Need("notBefore", &out->not_before);
  fields.Need("waitsFor", &out->waits_for);
  fields.Need("why", &out->why);
}

static void ReadFields(Fields& fields, Rewind* out) {
  fields.Need("id", &out->id);
  fields.Need("archive", &out->archive);
  fields.Need("failures", &out->failures);
  fields.Need("refused", &out->refused);
  fields.Need("notBefore", &out->not_before);
  fields.Need("why", &out->why);
}

static void ReadFields(Fields& fields, Verification* out) {
  fields.Need("id", &out->id);
  fields.Need("epoch", &out->epoch);
  fields.Need("tries", &out->tries);
  fields.Need("failures", &out->failures);
  fields.Need("notBefore", &out->not_before);
  fields.Need("differs", &out->differs);
  fields.Need("why", &out->why);
}

static void ReadFields(Fields& fields, NodeMemory* out) {
  fields.Need("failedLooks", &out->failed_looks);
  fields.Need("attemptsCounted", &out->attempts_counted);
  fields.Need("arrivalToken", &out->arrival_token);
  fields.Need("arrivalChanged", &out->arrival_changed);
  fields.Need("received", &out->received);
  fields.Need("runId", &out->run_id);
  fields.Need("lossless", &out->lossless);
  fields.Need("mayAcknowledge", &out->may_acknowledge);
  fields.Need("history", {History::kUnjudged, History::kContained, History::kDiverged},
              &out->history);
  fields.Need("executed", &out->executed);
  fields.Need("executedAt", &out->executed_at);
  fields.Need("errant", &out->errant);
  fields.Need("deposed", &out->deposed);
  fields.Need("discard", &out->discard);
  fields.Need("starts", &out->starts);
  fields.May("unansweredSince", &out->unanswered_since);
  fields.May("unwitnessedSince", &out->unwitnessed_since);
  fields.May("notAcknowledgingSince", &out->not_acknowledging_since);
  fields.May("startNotBefore", &out->start_not_before);
  fields.May("receiveNotBefore", &out->receive_not_before);
  fields.May("rebuild", &out->rebuild);
  fields.May("archive", &out->archive);
  fields.May("merge", &out->merge);
  fields.May("rewind", &out->rewind);
  fields.May("verification", &out->verification);
  fields.May("rebuildFailed", &out->rebuild_failed);
}

static void ReadFields(Fields& fields, std::map<NodeName, NodeMemory>* out) {
  for (const std::string& name : fields.Keys()) fields.Need(name, &(*out)[NodeName(name)]);
}

json ToJson(const Memory& memory) {
  json nodes = json::object();
  for (const auto& [name, node] : memory.nodes) nodes[name.text] = NodeToJson(node);
  json out = {{"format", kFormat},
              {"bootId", memory.boot_id},
              {"cluster", memory.cluster},
              {"epoch", memory.epoch.number},
              {"durabilityInForce", pandora_ha::ToString(memory.durability_in_force)},
              {"nodes", std::move(nodes)},
              {"primaryExecuted", GtidsToJson(memory.primary_executed)},
              {"primaryLost", GtidsToJson(memory.primary_lost)},
              {"primaryWaited", memory.primary_waited}};
  if (memory.primary) out["primary"] = memory.primary->text;
  if (memory.clients_cut_from) out["clientsCutFrom"] = memory.clients_cut_from->text;
  if (memory.loss) out["loss"] = LossToJson(*memory.loss);
  if (memory.promotion) out["promotion"] = PromotionToJson(*memory.promotion);
  out["manager"] = memory.manager;
  out["guards"] = GuardsToJson(memory.guards);
  out["guardsSeen"] = {{"epoch", memory.guards_seen.epoch.number},
                       {"change", memory.guards_seen.change}};
  out["guardsUnwritten"] = memory.guards_unwritten;
  if (memory.failed_over_at) out["failedOverAt"] = Count(*memory.failed_over_at);
  if (memory.failback_at) out["failbackAt"] = Count(*memory.failback_at);
  out["failbackNotBefore"] = Count(memory.failback_not_before);
  out["actsSince"] = Count(memory.acts_since);
  if (memory.decided_at) out["decidedAt"] = Count(*memory.decided_at);
  out["intents"] = json::array();
  for (const IntentRecord& record : memory.intents) out["intents"].push_back(StoredToJson(record));
  return out;
}

Result<Memory> MemoryFromJson(const json& value) {
  std::optional<Error> error;
  Memory memory;
  int format = 0;
  Fields fields(value, "", &error);
  fields.Need("format", &format);
  if (!error && format != kFormat) {
    return Error{ErrorCode::kUnsupported,
                 "The memory has format " + std::to_string(format) +
                     "; this version reads format " + std::to_string(kFormat) + ".",
                 0};
  }
  fields.Need("bootId", &memory.boot_id);
  fields.Need("cluster", &memory.cluster);
  fields.Need("epoch", &memory.epoch);
  fields.Need("durabilityInForce", {DurabilityMode::kAsync, DurabilityMode::kSemiSync},
              &memory.durability_in_force);
  fields.Need("nodes", &memory.nodes);
  fields.Need("primaryExecuted", &memory.primary_executed);
  fields.Need("primaryLost", &memory.primary_lost);
  fields.Need("primaryWaited", &memory.primary_waited);
  fields.May("primary", &memory.primary);
  fields.May("loss", &memory.loss);
  fields.May("clientsCutFrom", &memory.clients_cut_from);
  fields.May("promotion", &memory.promotion);
  fields.May("manager", &memory.manager);
  fields.May("guards", &memory.guards);
  fields.May("guardsSeen", &memory.guards_seen);
  fields.May("guardsUnwritten", &memory.guards_unwritten);
  fields.May("failedOverAt", &memory.failed_over_at);
  fields.May("failbackAt", &memory.failback_at);
  fields.May("failbackNotBefore", &memory.failback_not_before);
  fields.May("actsSince", &memory.acts_since);
  fields.May("decidedAt", &memory.decided_at);
  fields.May("intents", &memory.intents);
  if (error) return *error;
  return memory;
}

json ToJson(const Event& event) {
  json out = {{"id", event.id},
              {"at", FormatWallTime(event.at)},
              {"severity", pandora_ha::ToString(event.severity)},
              {"reason", event.reason},
              {"epoch", event.epoch.number},
              {"message", event.message}};
  if (event.about) out["about"] = event.about->text;
  return out;
}

Result<Event> EventFromJson(const json& value) {
  std::optional<Error> error;
  Event event;
  Fields fields(value, "", &error);
  fields.Need("id", &event.id);
  fields.Need("at", &event.at);
  fields.Need("severity", {Severity::kInfo, Severity::kWarning, Severity::kCritical},
              &event.severity);
  fields.Need("reason", &event.reason);
  fields.Need("epoch", &event.epoch);
  fields.Need("message", &event.message);
  fields.May("about", &event.about);
  if (error) return *error;
  return event;
}

}  // namespace pandora_ha
