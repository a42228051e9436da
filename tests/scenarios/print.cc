#include "tests/scenarios/print.h"

#include <algorithm>

#include "reconciler/decide/diagnose.h"

namespace pandora_ha::scenarios {
namespace {

std::string Words(std::string_view text) {
  return std::string(text);
}

// "00000002-0000-…" is called uuid2 in scenarios.
std::string WithShortUuids(std::string text) {
  for (char digit = '1'; digit <= '9'; ++digit) {
    const std::string uuid = std::string("0000000") + digit + "-0000-0000-0000-00000000000" + digit;
    for (auto at = text.find(uuid); at != std::string::npos; at = text.find(uuid))
      text.replace(at, uuid.size(), std::string("uuid") + digit);
  }
  return text;
}

std::string PrintStep(const Step& step, std::string* because) {
  std::string line = "  " + Describe(step.action);
  if (!step.requires_.empty()) {
    line += ", if";
    const char* joint = " ";
    for (const Condition& condition : step.requires_) {
      line += joint + Describe(condition);
      joint = " and ";
    }
  }
  // A reason that a plan gives again and again is said once.
  if (step.because != *because) line += " — because " + step.because;
  *because = step.because;
  return line + "\n";
}

std::string Names(const Memory& memory, bool (*holds)(const NodeMemory&)) {
  std::string out;
  for (const auto& [name, node] : memory.nodes) {
    if (holds(node)) out += " " + name.text;
  }
  return out;
}

}  // namespace

std::string PrintIntent(const Memory& memory) {
  std::string out = "epoch " + std::to_string(memory.epoch.number);
  out += memory.primary ? ", primary " + memory.primary->text : ", no primary";
  if (memory.promotion) {
    const Promotion& promotion = *memory.promotion;
    out += ", promotion " + (promotion.from ? promotion.from->text : "nobody") + " → " +
           (promotion.to ? promotion.to->text : "?");
    if (promotion.fence_waived) out += " without a proven fence";
  }
  out += ", " + Words(ToString(memory.durability_in_force)) + " in force";
  const auto lossless = Names(memory, [](const NodeMemory& n) { return n.lossless; });
  const auto deposed = Names(memory, [](const NodeMemory& n) { return n.deposed; });
  const auto diverged =
      Names(memory, [](const NodeMemory& n) { return n.history == History::kDiverged; });
  if (!lossless.empty()) out += ", lossless:" + lossless;
  if (!deposed.empty()) out += ", deposed:" + deposed;
  if (!diverged.empty()) out += ", diverged:" + diverged;
  return out;
}

std::string Print(const Observation& seen, const Decision& decision, std::string* remembered) {
  std::string out = "state: " + Words(ToString(decision.state)) + "\n";
  for (const Finding& finding : decision.findings) {
    out += "finding " + Words(ToString(finding.severity)) + " " + Words(ToString(finding.code));
    if (finding.about) out += " " + finding.about->text;
    out += ": " + finding.says + "\n";
    if (finding.remedy != MakeFinding(finding.code, finding.about, "").remedy)
      out += "  remedy: " + finding.remedy + "\n";
  }
  for (const Blocked& blocked : decision.blocked) {
    out += "blocked " + Words(ToString(blocked.reason)) + ": " + blocked.says + "\n";
    out += "  by: " + blocked.who;
    if (blocked.until) out += "; ends in " + FormatDuration(*blocked.until - seen.taken_at.mono);
    out += "\n";
  }
  for (const CandidateVerdict& verdict : decision.candidates) {
    out += "candidate " + verdict.node.text + (verdict.eligible ? " may: " : " may not: ") +
           verdict.reason + "\n";
  }
  if (!decision.plan.empty()) {
    out += "plan: " + decision.plan.purpose + (decision.plan.ordered ? ", in order" : "") + "\n";
    std::string because;
    for (const Step& step : decision.plan.steps) out += PrintStep(step, &because);
  }
  const std::string intent = PrintIntent(decision.memory);
  if (intent != *remembered) out += "remembers: " + intent + "\n";
  *remembered = intent;
  for (const IntentRecord& record : decision.memory.intents) {
    if (record.at != seen.taken_at.wall && record.state != IntentState::kUnderWay) continue;
    out += "intent " + Describe(record.intent.wish) + ": " + std::string(ToString(record.state)) +
           ". " + record.says + "\n";
  }
  if (decision.beat) out += "beats\n";
  if (decision.share) {
    out += "shares guards, epoch " + std::to_string(decision.share->version.epoch.number) +
           " change " + std::to_string(decision.share->version.change) + "\n";
  }
  out += decision.look_again_in == Duration::zero()
             ? std::string("look again at once\n")
             : "look again in " + FormatDuration(decision.look_again_in) + "\n";
  return WithShortUuids(out);
}

}  // namespace pandora_ha::scenarios
