#include "reconciler/app/merge_verb.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/app/ask.h"
#include "reconciler/app/merge_rows.h"
#include "reconciler/app/reach.h"
#include "reconciler/app/text.h"
#include "reconciler/spec/load_spec.h"
#include "reconciler/spec/problem.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr Seconds kAtLeast{30};  // for one transaction

// What the manager says of the cluster.
struct Place {
  NodeName primary;
  Epoch epoch;
  std::string archive;
};

Result<Place> AskPlace(const MergeVerbOptions& options, const ClusterSpec& spec) {
  PHA_ASSIGN_OR_RETURN(const json status, AskForPrimary(options.ask, spec));
  Place place{NodeName(TextOf(status, "primary")), {}, options.archive};
  if (status.contains("epoch") && status["epoch"].is_number_unsigned())
    place.epoch.number = status["epoch"].get<std::uint64_t>();
  for (const json& node : status.value("nodes", json::array())) {
    if (TextOf(node, "name") == options.node && place.archive.empty())
      place.archive = node.value("archive", std::string());
  }
  if (!place.archive.empty()) return place;
  return Error{ErrorCode::kConflict,
               options.node +
                   " has nothing archived that the primary lacks (`pandora-ha status` "
                   "says why); name an archive with --archive DIRECTORY."};
}

std::string ToText(const MergeReport& report, const Place& place, const MergeVerbOptions& options) {
  Table table({"TABLE", "DIVERGED", options.dry_run ? "TO MERGE" : "MERGED", "THERE", "REJECTED"});
  std::string reasons;
  for (const auto& [name, count] : report.tables) {
    std::uint64_t rejected = 0;
    for (const auto& [reason, rows] : count.rejected) {
      rejected += rows;
      reasons += "  " + Printable(name) + ": " + std::to_string(rows) +
                 " not merged: " + Printable(reason) + ".\n";
    }
    table.Add({{Printable(name)},
               {std::to_string(count.diverged)},
               {std::to_string(count.merged), Colour::kGood},
               {std::to_string(count.already_there)},
               {std::to_string(rejected), rejected > 0 ? Colour::kWarning : Colour::kNone}});
  }
  std::string text = "Transactions of " + options.node + " that " + place.primary.text +
                     " lacked: " + std::to_string(report.transactions) + ".\n";
  if (!report.tables.empty()) text += table.Print(options.ask.style);
  text += reasons.empty() ? "" : "Not merged, and kept in the archive:\n" + reasons;
  if (report.statements > 0) {
    text += "  " + std::to_string(report.statements) +
            " changes are in the log without rows (DDL), and were left alone.\n";
  }
  return text + (options.dry_run
                     ? "A dry run: nothing was written.\n"
                     : "The archive stays in " + place.archive + ". Next: `pandora-ha " +
                           "resync " + options.node + "` makes the node anew.\n");
}

// 0: go on.
int Confirm(const MergeVerbOptions& options, const Place& place, std::ostream& err) {
  if (options.yes || options.dry_run) return kExitHealthy;
  if (!options.terminal || options.in == nullptr) {
    err << "pandora-ha: the merge needs a confirmation, and nobody is at a terminal here; look at "
           "--dry-run, then say --yes. Nothing was written.\n";
    return kExitUnconfirmed;
  }
  err << "The rows of " << place.archive << " are to be merged into " << place.primary.text
      << " (see --dry-run): go on? Type yes: " << std::flush;
  std::string answer;
  std::getline(*options.in, answer);
  if (answer == "yes" || answer == "y") return kExitHealthy;
  err << "Nothing was written.\n";
  return kExitUnconfirmed;
}

Result<MergeInto> WhatToMerge(const MergeVerbOptions& options, const ClusterSpec& spec,
                              const Place& place, std::ostream& err) {
  MergeInto what;
  PHA_ASSIGN_OR_RETURN(what.session, SessionWith(spec, place.primary));
  what.archive = place.archive;
  what.primary = place.primary;
  what.epoch = place.epoch;
  what.dry_run = options.dry_run;
  if (!options.since.empty()) what.since = ReadMoment(options.since);
  if (!options.until.empty()) what.until = ReadMoment(options.until);
  if (what.since && what.until && *what.until <= *what.since)
    return Error{ErrorCode::kInvalid, "--until is not after --since: there is nothing in between."};
  what.connect = std::chrono::duration_cast<Seconds>(options.ask.timeout);
  what.patience = std::max(kAtLeast, what.connect);
  if (!options.terminal) return what;
  what.progress = [&err, told = TimePoint()](std::uint64_t done, std::uint64_t all) mutable {
    const TimePoint now = SystemClock().Now().mono;
    if (done < all && now - told < Milliseconds(200)) return;
    told = now;
    err << "\r" << done << " of " << all << " transactions (" << (all > 0 ? 100 * done / all : 100)
        << " %)" << (done >= all ? "\n" : "") << std::flush;
  };
  return what;
}

}  // namespace

int MergeVerb(const MergeVerbOptions& options, std::ostream& out, std::ostream& err) {
  const LoadedSpec loaded = LoadSpecFile(options.config);
  if (!loaded.ok()) {
    for (const Problem& problem : loaded.problems) err << FormatProblem(problem) << "\n";
    return kExitUsage;
  }
  const auto place = AskPlace(options, *loaded.spec);
  if (!place.ok()) {
    Fail(place.error(), err);
    return place.error().code == ErrorCode::kNotFound ? kExitNoPrimary : CodeOfWork(place.error());
  }
  if (const int refused = Confirm(options, *place, err); refused != kExitHealthy) return refused;
  const auto what = WhatToMerge(options, *loaded.spec, *place, err);
  const auto merged = what.ok() ? MergeRows(*what) : Result<MergeReport>(what.error());
  if (!merged.ok()) {
    Fail(merged.error(), err);
    if (!options.dry_run)
      err << "What was merged until then is kept; run it again, nothing is added twice.\n";
    return CodeOfWork(merged.error());
  }
  const bool document =
      options.ask.form == OutputForm::kJson || options.ask.form == OutputForm::kYaml;
  PrintDocument(options.ask, ToJson(*merged, *what),
                document ? "" : ToText(*merged, *place, options), out);
  return kExitHealthy;
}

}  // namespace pandora_ha
