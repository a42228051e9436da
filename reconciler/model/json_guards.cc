// Guards, both ways: in memory, and as the document that every manager reads.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"
#include "reconciler/model/json_fields.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

json Each(const std::map<NodeName, Guard>& guards) {
  json out = json::object();
  for (const auto& [node, guard] : guards) out[node.text] = ToJson(guard);
  return out;
}

// Whoever may write into the schema may have written it.
bool IsTame(const Guard& guard) {
  return guard.by.size() <= kMostReasonBytes && guard.reason.size() <= kMostReasonBytes &&
         IsPrintable(guard.by) && IsPrintable(guard.reason);
}
bool AreTame(const std::map<NodeName, Guard>& guards) {
  return std::all_of(guards.begin(), guards.end(),
                     [](const auto& entry) { return IsTame(entry.second); });
}

}  // namespace

static void ReadFields(Fields& fields, Guard* out) {
  fields.Need("by", &out->by);
  fields.Need("reason", &out->reason);
  fields.Need("since", &out->since);
  fields.May("until", &out->until);
}

static void ReadFields(Fields& fields, std::map<NodeName, Guard>* out) {
  for (const std::string& name : fields.Keys()) fields.Need(name, &(*out)[NodeName(name)]);
}

void ReadFields(Fields& fields, Guards* out) {
  fields.May("paused", &out->paused);
  fields.May("pausedNodes", &out->paused_nodes);
  fields.May("fencedNodes", &out->fenced_nodes);
  fields.May("failedOverAt", &out->failed_over_at);
  fields.May("chosen", &out->chosen);
}

void ReadFields(Fields& fields, GuardsVersion* out) {
  fields.Need("epoch", &out->epoch);
  fields.Need("change", &out->change);
}

json GuardsToJson(const Guards& guards) {
  json out = json::object();
  if (guards.paused) out["paused"] = ToJson(*guards.paused);
  if (!guards.paused_nodes.empty()) out["pausedNodes"] = Each(guards.paused_nodes);
  if (!guards.fenced_nodes.empty()) out["fencedNodes"] = Each(guards.fenced_nodes);
  if (guards.failed_over_at) out["failedOverAt"] = FormatWallTime(*guards.failed_over_at);
  if (guards.chosen) out["chosen"] = ToJson(*guards.chosen);
  return out;
}

std::string PrintGuards(const Guards& guards) {
  json out = GuardsToJson(guards);
  out["format"] = kFormat;
  return PrintJson(out);
}

Result<Guards> ReadGuards(std::string_view document) {
  if (document.size() > kMostGuardsBytes) {
    return Error{ErrorCode::kInvalid,
                 "the document is longer than " + std::to_string(kMostGuardsBytes) + " bytes"};
  }
  PHA_ASSIGN_OR_RETURN(const json value, ParseJson(document));
  std::optional<Error> error;
  int format = 0;
  Guards guards;
  Fields fields(value, "", &error);
  if (!error) fields.Need("format", &format);
  if (!error && format != kFormat) {
    return Error{ErrorCode::kUnsupported, "the document has format " + std::to_string(format) +
                                              ", and this version reads format " +
                                              std::to_string(kFormat)};
  }
  if (!error) ReadFields(fields, &guards);
  if (error) return *error;
  if ((guards.paused && !IsTame(*guards.paused)) || (guards.chosen && !IsTame(*guards.chosen)) ||
      !AreTame(guards.paused_nodes) || !AreTame(guards.fenced_nodes)) {
    return Error{ErrorCode::kInvalid, "a text in it is too long or has control characters"};
  }
  return guards;
}

}  // namespace pandora_ha
