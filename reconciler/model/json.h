// Values as JSON: what files keep, what the API answers, what `-o json` prints.
//
// Names are camelCase; a field that is not known is absent, never null and never 0. Durations are
// whole microseconds (`…Microseconds`) or seconds (`…Seconds`), moments are UTC texts as
// FormatWallTime prints them. Nothing here ever holds a password: the document names only where one
// is found, and even that is left out.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/intent.h"
#include "reconciler/model/memory.h"
#include "reconciler/model/observation.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"
#include "reconciler/model/status.h"

namespace pandora_ha {

// One document. kInvalid, with the position, when it is not JSON or is nested deeper than 64.
Result<nlohmann::json> ParseJson(std::string_view text);
// indent < 0: one line. Bytes that are not UTF-8 (a server's message) become U+FFFD.
std::string PrintJson(const nlohmann::json& value, int indent = -1);

// ---- Both ways: what the store keeps. -----------------------------------------------------------

// MemoryFromJson(ToJson(m)) is m. Fields it does not know are passed over; a missing or malformed
// one is kInvalid and names its path, because half a memory is worse than none.
nlohmann::json ToJson(const Memory& memory);
Result<Memory> MemoryFromJson(const nlohmann::json& value);

// What lies in the database: at most kMostGuardsBytes are read. ReadGuards(PrintGuards(g)) is g.
// Fields that it does not know are passed over; kUnsupported: a format of a later version.
std::string PrintGuards(const Guards& guards);
Result<Guards> ReadGuards(std::string_view document);

nlohmann::json ToJson(const Divergence& divergence);
Result<Divergence> DivergenceFromJson(const nlohmann::json& value);
nlohmann::json ToJson(const MergedRows& rows);
Result<MergedRows> MergedRowsFromJson(const nlohmann::json& value);

nlohmann::json ToJson(const Event& event);
Result<Event> EventFromJson(const nlohmann::json& value);

// ---- One way: what is asked. --------------------------------------------------------------------

// An intent as a request's body tells it, flat: {"id", "kind", "reason"} and the fields of its kind
// with their own names (`to`, `endTransactions`, `withinSeconds`, …; docs/intents.md lists them).
// Nothing is trusted: sizes are bounded, unknown fields refused. kInvalid tells every problem at
// once. `by` and `asked_at` are not the asker's to say and stay empty.
Result<Intent> IntentFromJson(const nlohmann::json& body);
// The body that IntentFromJson reads.
nlohmann::json ToJson(const Intent& intent);

// ---- One way: what is told. ---------------------------------------------------------------------

nlohmann::json ToJson(const ClusterStatus& status);
nlohmann::json ToJson(const Finding& finding);
nlohmann::json ToJson(const CandidateVerdict& verdict);
nlohmann::json ToJson(const Guard& guard);
nlohmann::json ToJson(const Step& step);
nlohmann::json ToJson(const Plan& plan);
nlohmann::json ToJson(const Report& report);
// The parts of the document that the other answers are read with; no credentials.
nlohmann::json SummaryToJson(const ClusterSpec& spec);
// `now` dates the moments that a running machine counts from its start.
nlohmann::json ToJson(const Blocked& blocked, const Instant& now);
nlohmann::json ToJson(const IntentRecord& record, const Instant& now);
// One that lies in the inbox: state "pending".
nlohmann::json PendingToJson(const Intent& intent);
nlohmann::json ToJson(const Observation& seen);
// Findings, blocked, candidates and plan; not the memory.
nlohmann::json ToJson(const Decision& decision, const Instant& now);

}  // namespace pandora_ha
