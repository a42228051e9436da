#include "reconciler/app/verify_verb.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/app/ask.h"
#include "reconciler/app/reach.h"
#include "reconciler/app/text.h"
#include "reconciler/app/verify_rows.h"
#include "reconciler/mysql/verify.h"
#include "reconciler/spec/load_spec.h"
#include "reconciler/spec/problem.h"

namespace pandora_ha {
namespace {

using nlohmann::json;
using Verdict = VerifyReport::Verdict;

constexpr Seconds kAtLeast{60};  // for one piece

std::string Says(const PieceDifference& one, const Sides& sides) {
  if (!one.settled) {
    return "not settled: " + std::to_string(one.on_primary) + " rows on " + sides.primary.text +
           ", " + std::to_string(one.on_node) + " on " + sides.node.text +
           ", and it was changed meanwhile; ask again";
  }
  std::string says = Counts(one, sides);
  for (const std::string& example : one.examples) says += "\n      " + Printable(example);
  return says;
}

std::string ResultOf(const VerifiedTable& table, Colour* colour) {
  *colour = Colour::kBad;
  if (!table.why_not.empty()) return table.why_not;
  const auto settled = std::count_if(table.differences.begin(), table.differences.end(),
                                     [](const PieceDifference& one) { return one.settled; });
  if (settled > 0) return "different";
  *colour = table.differences.empty() ? Colour::kGood : Colour::kWarning;
  return table.differences.empty() ? "the same" : "not settled";
}

std::string ToText(const VerifyReport& report, const Sides& sides, const Style& style) {
  Table table({"TABLE", "ROWS", "PIECES", "RESULT"});
  std::string details;
  for (const auto& [name, one] : report.tables) {
    Colour colour{};
    const std::string result = ResultOf(one, &colour);
    table.Add({{Printable(name)},
               {std::to_string(one.rows)},
               {std::to_string(one.pieces)},
               {result, colour}});
    for (const PieceDifference& difference : one.differences) {
      details += "  " + Printable(name) + ", " + Printable(difference.where) + ": " +
                 Says(difference, sides) + "\n";
    }
  }
  std::string text = table.Print(style) + details;
  switch (report.verdict()) {
    case Verdict::kSame:
      return text + sides.node.text + " has the same rows as " + sides.primary.text + ".\n";
    case Verdict::kNotSettled:
      return text + "What could be settled is the same on " + sides.node.text + " and " +
             sides.primary.text + ".\n";
    case Verdict::kDifferent:
      break;
  }
  return text + sides.node.text + " is not the same as " + sides.primary.text + ", the primary: `" +
         "pandora-ha resync " + sides.node.text + "` makes it anew.\n";
}

std::function<void(const VerifyProgress&)> ShowProgress(std::ostream& err) {
  const TimePoint began = SystemClock().Now().mono;
  return [&err, began, told = TimePoint()](const VerifyProgress& progress) mutable {
    const TimePoint now = SystemClock().Now().mono;
    if (now - told < Milliseconds(200)) return;
    told = now;
    const double seconds = static_cast<double>((now - began).count()) / 1e6;
    const double rate = static_cast<double>(progress.rows) / std::max(seconds, 0.001);
    std::string left;
    if (progress.expected > progress.rows && seconds > 1) {
      const auto rest = static_cast<double>(progress.expected - progress.rows);
      left = ", about " + FormatDuration(Seconds(static_cast<std::int64_t>(rest / rate) + 1)) +
             " left";
    }
    err << "\r\x1b[K" << progress.table << ": " << progress.rows << " of about "
        << progress.expected << " rows, " << static_cast<std::uint64_t>(rate) << " rows/s" << left
        << std::flush;
  };
}

Result<Sides> WhoIsCompared(const VerifyVerbOptions& options, const ClusterSpec& spec) {
  PHA_ASSIGN_OR_RETURN(const json status, AskForPrimary(options.ask, spec));
  Sides sides{NodeName(TextOf(status, "primary")), NodeName(options.node)};
  if (sides.node == sides.primary) {
    return Error{ErrorCode::kInvalid,
                 sides.node.text + " is the primary, with which the others are compared."};
  }
  return sides;
}

Result<VerifyReport> Verify(const VerifyVerbOptions& options, const ClusterSpec& spec,
                            const Sides& sides, std::ostream& err) {
  PHA_ASSIGN_OR_RETURN(const SessionOptions here, SessionWith(spec, sides.primary));
  PHA_ASSIGN_OR_RETURN(const SessionOptions there, SessionWith(spec, sides.node));
  const auto soon = [&] { return Deadline(SystemClock(), options.ask.timeout); };
  PHA_ASSIGN_OR_RETURN(const auto primary, Session::Connect(here, soon()));
  PHA_ASSIGN_OR_RETURN(const auto node, Session::Connect(there, soon()));
  VerifyOptions what;
  what.schema = spec.database.schema;
  what.tables = options.tables;
  what.patience = std::max(kAtLeast, std::chrono::duration_cast<Seconds>(options.ask.timeout));
  if (options.terminal) what.progress = ShowProgress(err);
  auto report = VerifyNode(*primary, *node, what);
  if (options.terminal) err << "\r\x1b[K" << std::flush;
  return report;
}

}  // namespace

int VerifyVerb(const VerifyVerbOptions& options, std::ostream& out, std::ostream& err) {
  const LoadedSpec loaded = LoadSpecFile(options.config);
  if (!loaded.ok()) {
    for (const Problem& problem : loaded.problems) err << FormatProblem(problem) << "\n";
    return kExitUsage;
  }
  const auto sides = WhoIsCompared(options, *loaded.spec);
  if (!sides.ok()) {
    Fail(sides.error(), err);
    return sides.error().code == ErrorCode::kNotFound ? kExitNoPrimary : CodeOfWork(sides.error());
  }
  const auto report = Verify(options, *loaded.spec, *sides, err);
  if (!report.ok()) {
    Fail(report.error(), err);
    return CodeOfWork(report.error());
  }
  PrintDocument(options.ask, ToJson(*report, *sides), ToText(*report, *sides, options.ask.style),
                out);
  return report->verdict() == Verdict::kSame ? kExitHealthy : kExitDegraded;
}

}  // namespace pandora_ha
