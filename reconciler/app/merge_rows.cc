#include "reconciler/app/merge_rows.h"

#include <utility>

#include "reconciler/app/run_job.h"
#include "reconciler/binlog/archive.h"
#include "reconciler/model/json.h"
#include "reconciler/substrate/local/merger.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

using nlohmann::json;

Result<MergeReport> MergeRows(const MergeInto& what) {
  PHA_ASSIGN_OR_RETURN(const ArchiveManifest manifest, ReadManifest(what.archive));
  if (manifest.node == what.primary) {
    return Error{ErrorCode::kConflict, "The archive is of " + what.primary.text +
                                           ", which is the primary now: it may have these rows."};
  }
  PHA_ASSIGN_OR_RETURN(const auto connection,
                       Session::Connect(what.session, Deadline(SystemClock(), what.connect)));
  MergeOptions options;
  options.archive = what.archive;
  options.epoch = what.epoch;
  options.dry_run = what.dry_run;
  options.since = what.since;
  options.until = what.until;
  options.patience = what.patience;
  options.now = SystemClock().Now().wall;
  options.progress = [&](std::uint64_t done) {
    if (what.progress) what.progress(done, manifest.divergence.transactions);
  };
  return MergeArchive(*connection, options);
}

MergedRows Sum(const MergeReport& report) {
  MergedRows rows;
  rows.statements = report.statements;
  for (const auto& [name, table] : report.tables) {
    rows.merged += table.merged;
    rows.already_there += table.already_there;
    for (const auto& [reason, count] : table.rejected) rows.rejected += count;
  }
  return rows;
}

json ToJson(const MergeReport& report, const MergeInto& what) {
  json tables = json::object();
  for (const auto& [name, table] : report.tables) {
    json rejected = json::object();
    for (const auto& [reason, rows] : table.rejected) rejected[reason] = rows;
    tables[name] = {{"diverged", table.diverged},
                    {"merged", table.merged},
                    {"alreadyThere", table.already_there},
                    {"rejected", std::move(rejected)}};
  }
  return {{"archive", what.archive},
          {"primary", what.primary.text},
          {"epoch", what.epoch.number},
          {"dryRun", what.dry_run},
          {"transactions", report.transactions},
          {"statements", report.statements},
          {"tables", std::move(tables)}};
}

namespace {

Status MergeAsOrdered(const MergeOrder& order, JobProgress& progress) {
  MergeInto what;
  what.archive = order.archive;
  what.primary = order.primary;
  what.session = {order.login.address, order.login.user, order.login.password, order.login.tls};
  what.epoch = order.epoch;
  what.progress = [&](std::uint64_t done, std::uint64_t all) {
    progress.Tell(static_cast<std::int64_t>(done), static_cast<std::int64_t>(all));
  };
  PHA_ASSIGN_OR_RETURN(const MergeReport report, MergeRows(what));
  json account = ToJson(report, what);
  account.erase("dryRun");
  account["id"] = order.id;
  account["at"] = FormatWallTime(SystemClock().Now().wall);
  account["rows"] = ToJson(Sum(report));
  return WritePrivateFile(order.archive + kMergeAccount,
                          account.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace

int RunMerger() {
  return RunJob("merge", &ParseMergeOrder, &MergeAsOrdered);
}

}  // namespace pandora_ha
