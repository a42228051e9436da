// The API's documents as text for people. A field that is missing is printed as "-" or left out:
// a manager of another version may answer.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/app/text.h"

namespace pandora_ha {

std::string RenderStatus(const nlohmann::json& status, bool wide, const Style& style);
// The primary at the root, who follows below it, the others apart.
std::string RenderTopology(const nlohmann::json& status, const Style& style);
std::string RenderPlan(const nlohmann::json& plan, const Style& style);
std::string RenderExplain(const nlohmann::json& explain, const Style& style);
std::string RenderHistory(const nlohmann::json& history, bool wide, const Style& style);

// "What is being done" with its steps and "why nothing is done" with who can help; "" for none.
std::string RenderSteps(const nlohmann::json& document, const Style& style);
std::string RenderBlocked(const nlohmann::json& document, const Style& style);

// What people ask for or hold us off from, a line for each; "" for none.
std::string RenderWishes(const nlohmann::json& document, const Style& style);
// One intent: "switchover to node2: done. node2 is …".
std::string RenderIntent(const nlohmann::json& record, const Style& style);

Colour ColourOfState(const std::string& state);
Colour ColourOfSeverity(const std::string& severity);
// "2026-11-22 17:03:01.250" of the API's form.
std::string ShortTime(const std::string& time);

}  // namespace pandora_ha
