#include "reconciler/app/verify_rows.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/app/run_job.h"
#include "reconciler/substrate/local/verifier.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr Seconds kConnectWithin{10};
constexpr std::size_t kMostTables = 5;  // in one sentence

Result<std::unique_ptr<Session>> Connect(const JobLogin& login) {
  return Session::Connect({login.address, login.user, login.password, login.tls},
                          Deadline(SystemClock(), kConnectWithin));
}

Status VerifyAsOrdered(const VerifyOrder& order, JobProgress& progress) {
  PHA_ASSIGN_OR_RETURN(const auto primary, Connect(order.primary_login));
  PHA_ASSIGN_OR_RETURN(const auto node, Connect(order.node_login));
  VerifyOptions options;
  options.schema = order.schema;
  options.progress = [&](const VerifyProgress& now) {
    progress.Tell(static_cast<std::int64_t>(now.rows), static_cast<std::int64_t>(now.expected));
  };
  PHA_ASSIGN_OR_RETURN(const VerifyReport report, VerifyNode(*primary, *node, options));
  const Sides sides{order.primary, order.node};
  VerifyAccount account;
  account.id = order.id;
  account.differs = Differences(report, sides);
  account.settled = report.verdict() != VerifyReport::Verdict::kNotSettled;
  for (const auto& [name, table] : report.tables)
    account.rows += static_cast<std::int64_t>(table.rows);
  return WriteVerifyAccount(order.directory, account, ToJson(report, sides));
}

std::string RowsThatAre(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + (count == 1 ? " row " : " rows ") + what;
}

}  // namespace

std::string Counts(const PieceDifference& difference, const Sides& sides) {
  std::string says;
  for (const auto& [count, what] :
       {std::pair{difference.not_the_same, std::string("not the same")},
        std::pair{difference.only_primary, "only on " + sides.primary.text},
        std::pair{difference.only_node, "only on " + sides.node.text}}) {
    if (count > 0) says += (says.empty() ? "" : ", ") + RowsThatAre(count, what);
  }
  return says;
}

std::string Differences(const VerifyReport& report, const Sides& sides) {
  std::string says;
  std::size_t tables = 0;
  for (const auto& [name, table] : report.tables) {
    PieceDifference sum;
    bool settled = false;
    for (const PieceDifference& one : table.differences) {
      if (!one.settled) continue;
      settled = true;
      sum.not_the_same += one.not_the_same;
      sum.only_primary += one.only_primary;
      sum.only_node += one.only_node;
    }
    if (!settled && table.why_not.empty()) continue;
    if (++tables > kMostTables) continue;
    says += (says.empty() ? "" : "; ") + name + ": " +
            (table.why_not.empty() ? Counts(sum, sides) : table.why_not);
  }
  if (tables > kMostTables)
    says += "; and " + std::to_string(tables - kMostTables) + " more tables";
  return says;
}

json ToJson(const VerifyReport& report, const Sides& sides) {
  using Verdict = VerifyReport::Verdict;
  json tables = json::object();
  for (const auto& [name, one] : report.tables) {
    json differences = json::array();
    for (const PieceDifference& d : one.differences) {
      differences.push_back({{"where", d.where},
                             {"settled", d.settled},
                             {"onPrimary", d.on_primary},
                             {"onNode", d.on_node},
                             {"onlyPrimary", d.only_primary},
                             {"onlyNode", d.only_node},
                             {"notTheSame", d.not_the_same},
                             {"examples", d.examples}});
    }
    tables[name] = {{"rows", one.rows}, {"pieces", one.pieces}, {"differences", differences}};
    if (!one.why_not.empty()) tables[name]["whyNot"] = one.why_not;
  }
  const Verdict verdict = report.verdict();
  return {{"primary", sides.primary.text},
          {"node", sides.node.text},
          {"verdict", verdict == Verdict::kSame         ? "same"
                      : verdict == Verdict::kNotSettled ? "notSettled"
                                                        : "different"},
          {"tables", std::move(tables)}};
}

int RunVerifier() {
  return RunJob("verify", &ParseVerifyOrder, &VerifyAsOrdered);
}

}  // namespace pandora_ha
