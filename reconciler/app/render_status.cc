#include <nlohmann/json.hpp>

#include "reconciler/app/render.h"
#include "reconciler/base/clock.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

std::string OrDash(std::string text) {
  return text.empty() ? "-" : text;
}

const json& ListOf(const json& object, const char* key) {
  static const json kNone = json::array();
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

bool IsTrue(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key] == true;
}

std::string Lag(const json& node) {
  if (TextOf(node, "role") == "primary") return "-";
  const std::string lag = TextOf(node, "lagSeconds");
  return lag.empty() ? "unknown" : lag + " s";
}

// What the node does, in one or two words.
Table::Cell Doing(const json& node) {
  const std::string role = TextOf(node, "role");
  const bool writable = IsTrue(node, "writable");
  if (role == "unknown") return {TextOf(node, "contact"), Colour::kBad};
  if (role == "primary")
    return writable ? Table::Cell{"writable", Colour::kGood}
                    : Table::Cell{"read-only", Colour::kBad};
  if (writable) return {"WRITABLE", Colour::kBad};
  const std::string replication = TextOf(node, "replication");
  if (replication == "none") return {"follows nobody", Colour::kWarning};
  return {replication, replication == "running" ? Colour::kGood : Colour::kWarning};
}

// "node1 (Madrid)" where the document gives it a label.
std::string Called(const json& node) {
  const std::string name = TextOf(node, "name"), label = TextOf(node, "label");
  return label.empty() || label == name ? name : name + " (" + label + ")";
}

std::vector<Table::Cell> NodeRow(const json& node, bool wide) {
  std::vector<Table::Cell> row = {{Called(node)}, {TextOf(node, "role")}, Doing(node)};
  row.push_back({Lag(node)});
  row.push_back({OrDash(TextOf(node, "behind"))});
  row.push_back({OrDash(TextOf(node, "semiSync"))});
  row.push_back({OrDash(TextOf(node, "site"))});
  if (!wide) return row;
  row.push_back({TextOf(node, "address")});
  row.push_back({TextOf(node, "contact")});
  row.push_back({IsTrue(node, "lossless") ? "yes" : "no"});
  row.push_back({OrDash(TextOf(node, "version"))});
  row.push_back({OrDash(TextOf(node, "position"))});
  return row;
}

std::string Publication(const json& status) {
  if (!status.is_object() || !status.contains("publication")) return "";
  const json& publication = status["publication"];
  const std::string primary = TextOf(publication, "primary");
  const std::string problem = TextOf(publication, "problem");
  std::string line = primary.empty() ? "New clients wait: no primary is published."
                                     : "Clients are sent to " + primary + " (epoch " +
                                           TextOf(publication, "epoch") + ").";
  if (!problem.empty()) line += " Problem: " + problem;
  return line + "\n";
}

std::string Head(const json& status, const Style& style) {
  const std::string state = TextOf(status, "state");
  return style(Colour::kHeading, TextOf(status, "name")) + "  " +
         style(ColourOfState(state), state) + "\n" + TextOf(status, "verdict") + "\n";
}

std::string Line(const json& node) {
  std::string line = TextOf(node, "name") + "  " + TextOf(node, "address") + "  [";
  line += Doing(node).text;
  if (TextOf(node, "role") == "replica") line += ", lag " + Lag(node);
  const std::string semi_sync = TextOf(node, "semiSync");
  if (!semi_sync.empty() && semi_sync != "unknown") line += ", semi-sync " + semi_sync;
  const std::string version = TextOf(node, "version");
  if (!version.empty()) line += ", " + version;
  return line + "]";
}

}  // namespace

Colour ColourOfState(const std::string& state) {
  if (state == "Healthy") return Colour::kGood;
  if (state == "Degraded" || state == "Suspended" || state == "Resyncing") return Colour::kWarning;
  return Colour::kBad;
}

Colour ColourOfSeverity(const std::string& severity) {
  if (severity == "critical") return Colour::kBad;
  return severity == "warning" ? Colour::kWarning : Colour::kNone;
}

std::string ShortTime(const std::string& time) {
  if (time.size() != 24) return time;
  return time.substr(0, 10) + " " + time.substr(11, 12);
}

std::string RenderStatus(const json& status, bool wide, const Style& style) {
  std::string out = Head(status, style) + "\n";
  std::vector<std::string> heading = {"NODE",   "ROLE",      "STATE", "LAG",
                                      "BEHIND", "SEMI-SYNC", "SITE"};
  if (wide)
    heading.insert(heading.end(), {"ADDRESS", "CONTACT", "LOSSLESS", "VERSION", "POSITION"});
  Table nodes(heading);
  for (const json& node : ListOf(status, "nodes")) nodes.Add(NodeRow(node, wide));
  out += nodes.Print(style) + "\n" + Publication(status);
  if (const std::string wishes = RenderWishes(status, style); !wishes.empty()) out += "\n" + wishes;
  if (!ListOf(status, "findings").empty()) {
    Table findings({"SEVERITY", "FINDING", "ABOUT", "SAYS"});
    for (const json& finding : ListOf(status, "findings")) {
      const std::string severity = TextOf(finding, "severity");
      findings.Add({{severity, ColourOfSeverity(severity)},
                    {TextOf(finding, "code")},
                    {OrDash(TextOf(finding, "about"))},
                    {TextOf(finding, "says")}});
    }
    out += "\n" + findings.Print(style);
  }
  const std::string blocked = RenderBlocked(status, style);
  return blocked.empty() ? out : out + "\n" + blocked;
}

std::string RenderTopology(const json& status, const Style& style) {
  std::string out = Head(status, style) + "\n";
  std::vector<std::string> below;
  std::string apart;
  bool rooted = false;
  for (const json& node : ListOf(status, "nodes")) {
    const std::string role = TextOf(node, "role");
    const std::string replication = TextOf(node, "replication");
    if (role == "primary") {
      rooted = true;
      out += Line(node) + "\n";
    } else if (role == "replica" && (replication == "running" || replication == "connecting")) {
      below.push_back(Line(node));
    } else {
      apart += "  " + Line(node) + "\n";
    }
  }
  if (!rooted) out += style(Colour::kBad, "(no primary)") + "\n";
  for (const std::string& line : below) out += "+- " + line + "\n";
  if (!apart.empty()) out += "\nNot following:\n" + apart;
  return out;
}

std::string RenderPlan(const json& plan, const Style& style) {
  const std::string steps = RenderSteps(plan, style);
  const std::string blocked = RenderBlocked(plan, style);
  std::string out = Head(plan, style) + "\n";
  if (steps.empty() && blocked.empty()) return out + "Nothing is to be done.\n";
  return out + steps + (steps.empty() || blocked.empty() ? "" : "\n") + blocked;
}

std::string RenderHistory(const json& history, bool wide, const Style& style) {
  if (ListOf(history, "events").empty()) return "Nothing has happened yet.\n";
  std::vector<std::string> heading = {"TIME (UTC)", "SEVERITY", "EPOCH", "REASON", "MESSAGE"};
  if (wide) heading.insert(heading.begin() + 4, {"ABOUT", "ID"});
  Table table(heading);
  for (const json& event : ListOf(history, "events")) {
    const std::string severity = TextOf(event, "severity");
    std::vector<Table::Cell> row = {{ShortTime(TextOf(event, "at"))},
                                    {severity, ColourOfSeverity(severity)},
                                    {TextOf(event, "epoch")},
                                    {TextOf(event, "reason")}};
    if (wide) row.insert(row.end(), {{OrDash(TextOf(event, "about"))}, {TextOf(event, "id")}});
    row.push_back({TextOf(event, "message")});
    table.Add(std::move(row));
  }
  return table.Print(style);
}

}  // namespace pandora_ha
