#include <nlohmann/json.hpp>

#include "reconciler/app/render.h"
#include "reconciler/base/clock.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

const json& Member(const json& object, const char* key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::string Heading(const Style& style, const std::string& text) {
  return style(Colour::kHeading, text) + "\n";
}

std::string Took(const json& microseconds) {
  return microseconds.is_number_integer()
             ? FormatDuration(Microseconds(microseconds.get<std::int64_t>()))
             : "?";
}

// ---- One node's facts, each with its date. ------------------------------------------------------

std::string Fact(const std::string& name, const std::string& text) {
  return "    " + name + std::string(10 - std::min<std::size_t>(9, name.size()), ' ') + text + "\n";
}

std::string Since(const json& seen) {
  const std::string at = TextOf(seen, "at");
  return at.empty() ? "" : " (as of " + ShortTime(at) + ")";
}

std::string Thread(const json& channel, const char* state, const char* error) {
  const json& problem = Member(channel, error);
  std::string text = TextOf(channel, state);
  if (problem.is_object())
    text += ", error " + TextOf(problem, "number") + ": " + TextOf(problem, "message");
  return text;
}

std::string ServerFacts(const json& node) {
  const json& state = Member(node, "state");
  if (Member(state, "known") != true) {
    return Fact("server", "unknown: " + TextOf(state, "why") + Since(state)) +
           (TextOf(node, "unansweredSince").empty()
                ? ""
                : Fact("silent", "since " + ShortTime(TextOf(node, "unansweredSince"))));
  }
  const json& value = Member(state, "value");
  const bool writable = Member(value, "writable") == true;
  std::string out =
      Fact("server", TextOf(value, "version") + ", server_id " + TextOf(value, "serverId") + ", " +
                         (writable ? "accepts writes" : "read-only") + Since(state));
  out += Fact("has",
              TextOf(value, "executed").empty() ? "no transactions" : TextOf(value, "executed"));
  if (const json& channel = Member(value, "replication"); channel.is_object()) {
    const std::string lag = TextOf(channel, "lagSeconds");
    out += Fact("follows",
                TextOf(channel, "source") + ", lag " + (lag.empty() ? "unknown" : lag + " s"));
    out += Fact("receives", Thread(channel, "receiving", "receiveError"));
    out += Fact("applies", Thread(channel, "applying", "applyError") +
                               (Member(channel, "appliedAll") == true
                                    ? ", everything received is executed"
                                    : ", received " + TextOf(channel, "received")));
  }
  if (const json& marker = Member(value, "marker"); marker.is_object()) {
    out += Fact("marker", "epoch " + TextOf(marker, "epoch") + " of " + TextOf(marker, "writer") +
                              ", written " + ShortTime(TextOf(marker, "writtenAt")));
  }
  return out;
}

std::string ProcessFacts(const json& node) {
  const json& process = Member(node, "process");
  if (Member(process, "known") != true)
    return Fact("process", "unknown: " + TextOf(process, "why") + Since(process));
  const json& value = Member(process, "value");
  const std::string phase = TextOf(value, "phase");
  if (phase == "running")
    return Fact("process", "runs, pid " + TextOf(value, "pid") + Since(process));
  if (phase != "ended") return Fact("process", phase);
  return Fact("process",
              "ended " + ShortTime(TextOf(value, "endedAt")) + ": " + TextOf(value, "howEnded") +
                  (Member(value, "restartInhibited") == true ? "; nobody else will start it"
                                                             : "; it may be restarted in place"));
}

std::string NodeFacts(const json& node) {
  const bool can_fence = Member(node, "canFence") == true;
  const bool self_fencing = Member(node, "selfFencing") == true;
  return "  " + TextOf(node, "name") + ": " + TextOf(node, "contact") + "\n" + ServerFacts(node) +
         ProcessFacts(node) +
         Fact("fence", can_fence      ? "we can end its process"
                       : self_fencing ? "its agent ends it when its lease runs out"
                                      : "nobody can end its process for us");
}

// ---- Sections. ----------------------------------------------------------------------------------

std::string Findings(const json& explain, const Style& style) {
  const json& findings = Member(explain, "findings");
  if (!findings.is_array() || findings.empty()) return "";
  std::string out = Heading(style, "What was found");
  for (const json& finding : findings) {
    const std::string severity = TextOf(finding, "severity");
    out += "  " + style(ColourOfSeverity(severity), severity + " " + TextOf(finding, "code")) +
           ": " + TextOf(finding, "says") + "\n";
    if (const std::string remedy = TextOf(finding, "remedy"); !remedy.empty())
      out += "    remedy: " + remedy + "\n";
  }
  return out + "\n";
}

std::string Candidates(const json& explain, const Style& style) {
  const json& candidates = Member(explain, "candidates");
  if (!candidates.is_array() || candidates.empty()) return "";
  std::string out = Heading(style, "Who could be primary");
  for (const json& one : candidates) {
    out += "  " + TextOf(one, "node") +
           (Member(one, "eligible") == true ? ": can be, " : ": cannot be, ") +
           TextOf(one, "reason") + "\n";
  }
  return out + "\n";
}

std::string Facts(const json& explain, const Style& style) {
  const json& observation = Member(explain, "observation");
  const json& databases = Member(observation, "databases");
  if (!databases.is_array()) return "";
  std::string out = Heading(style, "The facts");
  for (const json& node : databases) out += NodeFacts(node);
  if (const json& witnesses = Member(observation, "witnesses"); witnesses.is_array()) {
    for (const json& witness : witnesses) {
      const json& sees = Member(witness, "seesPrimary");
      out += "  witness " + TextOf(witness, "name") + ": " +
             (Member(sees, "known") != true   ? "unknown: " + TextOf(sees, "why")
              : Member(sees, "value") == true ? "reaches the primary"
                                              : "does not reach the primary") +
             Since(sees) + "\n";
    }
  }
  return out + "\n";
}

std::string Rules(const json& explain, const Style& style) {
  const json& durability = Member(explain, "durability");
  const std::string declared = TextOf(durability, "declared");
  const std::string in_force = TextOf(durability, "inForce");
  std::string out = Heading(style, "The rules");
  out += "  failoverPolicy " + TextOf(Member(explain, "spec"), "failoverPolicy") + ": " +
         TextOf(explain, "policy") + "\n";
  out += "  durability: " + declared + " is declared, " + in_force + " is in force" +
         (in_force == "semiSync" ? ": an acknowledged row is on two servers.\n"
                                 : ": an acknowledged row may be on the primary only.\n");
  return out;
}

std::string Events(const json& explain, const Style& style) {
  const json& events = Member(explain, "events");
  if (!events.is_array() || events.empty()) return "";
  std::string out = "\n" + Heading(style, "What happened last");
  for (const json& event : events) {
    out += "  " + ShortTime(TextOf(event, "at")) + "  " + TextOf(event, "reason") + ": " +
           TextOf(event, "message") + "\n";
  }
  return out;
}

}  // namespace

std::string RenderSteps(const json& document, const Style& style) {
  const json& plan = Member(document, "plan");
  const json& steps = Member(plan, "steps");
  if (!steps.is_array() || steps.empty()) return "";
  const json& reports = Member(Member(document, "report"), "steps");
  std::string out = Heading(style, "What is being done: " + TextOf(plan, "purpose"));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    out += "  " + std::to_string(i + 1) + ". " + TextOf(steps[i], "action");
    if (reports.is_array() && i < reports.size()) {
      const std::string outcome = TextOf(reports[i], "outcome");
      const std::string error = TextOf(reports[i], "error");
      out += " -> " + style(outcome == "done" ? Colour::kGood : Colour::kWarning, outcome);
      if (outcome != "not tried") out += " in " + Took(Member(reports[i], "tookMicroseconds"));
      if (!error.empty()) out += ": " + error;
    }
    out += "\n     because " + TextOf(steps[i], "because") + "\n";
    if (const json& conditions = Member(steps[i], "requires"); conditions.is_array()) {
      for (const json& condition : conditions)
        out += "     only if " +
               Printable(condition.is_string() ? condition.get<std::string>() : "") + "\n";
    }
  }
  return out;
}

std::string RenderBlocked(const json& document, const Style& style) {
  const json& blocked = Member(document, "blocked");
  if (!blocked.is_array() || blocked.empty()) return "";
  std::string out = Heading(style, "Why nothing more is done");
  for (const json& one : blocked) {
    out += "  " + style(Colour::kBad, TextOf(one, "reason")) + ": " + TextOf(one, "says") + "\n";
    out += "    who can unblock it: " + TextOf(one, "who") + "\n";
    if (const std::string until = TextOf(one, "until"); !until.empty())
      out += "    by itself: at " + ShortTime(until) + "\n";
  }
  return out;
}

std::string RenderExplain(const json& explain, const Style& style) {
  const std::string state = TextOf(explain, "state");
  std::string out = style(Colour::kHeading, TextOf(explain, "name")) + "  " +
                    style(ColourOfState(state), state) + "\n" + TextOf(explain, "verdict") + "\n";
  const json& wait = Member(explain, "lookAgainInMicroseconds");
  out += "Looked at " + ShortTime(TextOf(explain, "observedAt")) + " UTC; the next look follows " +
         (wait == 0 ? "at once" : "in " + Took(wait)) + ".\n\n";
  for (const std::string& part :
       {RenderBlocked(explain, style), RenderSteps(explain, style), RenderWishes(explain, style)}) {
    if (!part.empty()) out += part + "\n";
  }
  if (const json& promotion = Member(explain, "promotion");
      Member(promotion, "fenceWaived") == true) {
    out += "The policy accepted that the old primary is not proven to have stopped writing.\n\n";
  }
  return out + Findings(explain, style) + Candidates(explain, style) + Facts(explain, style) +
         Rules(explain, style) + Events(explain, style);
}

}  // namespace pandora_ha
