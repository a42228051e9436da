#include "reconciler/mysql/verify.h"

#include <algorithm>
#include <set>
#include <utility>

#include "reconciler/model/own_tables.h"
#include "reconciler/mysql/quote.h"
#include "reconciler/mysql/verify_table.h"

namespace pandora_ha {
namespace {

constexpr int kLockedTries = 3;
constexpr std::size_t kMostExamples = 5;
constexpr int kLockWaitTimeout = 1205, kDeadlock = 1213;
constexpr int kMariaDbTooLong = 1969, kMySqlTooLong = 3024;  // max_statement_time, …execution…
constexpr Seconds kShortQuestion{10};

std::string InSeconds(Milliseconds time) {
  return std::to_string(static_cast<double>(time.count()) / 1000);
}

struct Summed {
  std::uint64_t rows = 0;
  std::string sum;

  bool operator==(const Summed&) const = default;
};

class Verifier {
 public:
  Verifier(Session& primary, Session& node, const VerifyOptions& options)
      : primary_(primary),
        node_(node),
        options_(options),
        maria_db_(primary.server_version().find("MariaDB") != std::string::npos) {}

  Status Run();
  VerifyReport& report() { return report_; }

 private:
  using Hashes = std::map<std::string, std::multiset<std::string>>;  // by key

  static Deadline Soon() { return {SystemClock(), kShortQuestion}; }
  Deadline Patiently() const { return {SystemClock(), options_.patience}; }
  bool IsWanted(const std::string& name) const;
  Status EstimateRows();
  Status Compare(const std::string& name, const VerifyTable& table, VerifiedTable* out);
  Result<Piece> NextPiece(const VerifyTable& table, const std::optional<Boundary>& from);
  Status ComparePiece(const VerifyTable& table, const Piece& piece, VerifiedTable* out);
  Result<Summed> Ask(Session& server, const std::string& sql) const;
  // Lets the node execute what the primary has executed now; false: not within `most`.
  Result<bool> CatchUp(Milliseconds most);
  Status MustCatchUp();
  // Nothing: the locks, or the node, could not be had in time.
  Result<std::optional<PieceDifference>> CompareLocked(const VerifyTable& table,
                                                       const Piece& piece);
  Result<std::optional<PieceDifference>> UnderLocks(const VerifyTable& table, const Piece& piece);
  Result<Hashes> HashesOf(Session& server, const VerifyTable& table, const Piece& piece) const;
  static void Tell(const Hashes& primary, const Hashes& node, PieceDifference* out);

  Session& primary_;
  Session& node_;
  const VerifyOptions& options_;
  const bool maria_db_;
  VerifyReport report_;
  VerifyProgress progress_;
};

bool Verifier::IsWanted(const std::string& name) const {
  const auto& tables = options_.tables;
  if (!tables.empty()) return std::find(tables.begin(), tables.end(), name) != tables.end();
  return !IsOwnTable(name);
}

Status Verifier::EstimateRows() {
  PHA_ASSIGN_OR_RETURN(
      const Rows rows,
      primary_.Query("SELECT TABLE_NAME AS t, TABLE_ROWS AS r FROM information_schema.TABLES WHERE "
                     "TABLE_SCHEMA=" +
                         QuoteLiteral(options_.schema),
                     Soon()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    if (IsWanted(row.Text("t")))
      progress_.expected += static_cast<std::uint64_t>(row.Number("r").value_or(0));
  }
  return Ok();
}

Status Verifier::Run() {
  // Reading with locks waits for nobody longer than this, in whole seconds.
  const auto seconds =
      std::max<std::int64_t>(1, std::chrono::duration_cast<Seconds>(options_.locked).count());
  PHA_TRY(primary_.Execute("SET SESSION innodb_lock_wait_timeout=" + std::to_string(seconds) +
                               "; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                           Soon()));
  PHA_TRY(MustCatchUp());  // with tables that were just made, too
  PHA_TRY(EstimateRows());
  PHA_ASSIGN_OR_RETURN(const auto here, ReadVerifyTables(primary_, options_.schema, Soon()));
  PHA_ASSIGN_OR_RETURN(const auto there, ReadVerifyTables(node_, options_.schema, Soon()));
  std::set<std::string> names(options_.tables.begin(), options_.tables.end());
  for (const auto* side : {&here, &there}) {
    for (const auto& [name, table] : *side) {
      if (IsWanted(name)) names.insert(name);
    }
  }
  for (const std::string& name : names) {
    VerifiedTable& out = report_.tables[name];
    const auto table = here.find(name), same = there.find(name);
    if (table == here.end() || same == there.end()) {
      out.why_not = table != here.end()   ? "the node has no such table"
                    : same != there.end() ? "the primary has no such table"
                                          : "there is no such table";
    } else if (table->second.columns().empty()) {
      out.why_not = "a name in it is not one that is quoted here";
    } else if (table->second.columns() != same->second.columns()) {
      out.why_not = "its columns are not the same on both";
    } else {
      PHA_TRY(Compare(name, table->second, &out));
    }
  }
  return Ok();
}

Result<Piece> Verifier::NextPiece(const VerifyTable& table, const std::optional<Boundary>& from) {
  Piece piece{from, std::nullopt};
  if (!table.can_be_cut()) return piece;
  PHA_ASSIGN_OR_RETURN(
      const Rows next,
      primary_.Query(table.NextBoundary(from, options_.rows_a_piece), Patiently()));
  piece.to = table.ReadBoundary(next);
  if (piece.to && piece.to == from) {
    PHA_ASSIGN_OR_RETURN(const Rows key, primary_.Query(table.NextKey(*from), Patiently()));
    piece.to = table.ReadBoundary(key);
  }
  return piece;
}

Status Verifier::Compare(const std::string& name, const VerifyTable& table, VerifiedTable* out) {
  progress_.table = name;
  Piece piece;
  do {
    PHA_ASSIGN_OR_RETURN(piece, NextPiece(table, piece.to));
    ++out->pieces;
    const std::uint64_t before = out->rows;
    PHA_TRY(ComparePiece(table, piece, out));
    progress_.rows += out->rows - before;
    if (options_.progress) options_.progress(progress_);
  } while (piece.to);
  return Ok();
}

Result<Summed> Verifier::Ask(Session& server, const std::string& sql) const {
  PHA_ASSIGN_OR_RETURN(const Rows rows, server.Query(sql, Patiently()));
  const RowReader row(rows, 0);
  return Summed{static_cast<std::uint64_t>(row.Number("c").value_or(0)), row.Text("s")};
}

Result<bool> Verifier::CatchUp(Milliseconds most) {
  PHA_ASSIGN_OR_RETURN(const Rows executed,
                       primary_.Query(maria_db_ ? "SELECT @@global.gtid_binlog_pos AS g"
                                                : "SELECT @@global.gtid_executed AS g",
                                      Soon()));
  const std::string set = QuoteLiteral(RowReader(executed, 0).Text("g"));
  PHA_ASSIGN_OR_RETURN(
      const Rows waited,
      node_.Query((maria_db_ ? "SELECT MASTER_GTID_WAIT(" : "SELECT WAIT_FOR_EXECUTED_GTID_SET(") +
                      set + "," + InSeconds(most) + ") AS w",
                  {SystemClock(), most + kShortQuestion}));
  return RowReader(waited, 0).Number("w") == 0;
}

Status Verifier::MustCatchUp() {
  PHA_ASSIGN_OR_RETURN(const bool caught_up, CatchUp(options_.patience));
  if (caught_up) return Ok();
  return Error{ErrorCode::kConflict,
               "the node has not executed within " + FormatDuration(options_.patience) +
                   " what the primary has executed: it does not follow, or is far behind"};
}

Status Verifier::ComparePiece(const VerifyTable& table, const Piece& piece, VerifiedTable* out) {
  const std::string sql = table.Sum(piece);
  Summed here, there;
  for (int look = 0; look < 2; ++look) {
    if (look > 0) PHA_TRY(MustCatchUp());
    PHA_ASSIGN_OR_RETURN(here, Ask(primary_, sql));
    PHA_ASSIGN_OR_RETURN(there, Ask(node_, sql));
    if (here == there) {
      out->rows += here.rows;
      return Ok();
    }
  }
  PieceDifference difference;
  const bool may_lock = table.can_be_cut() || here.rows <= options_.rows_a_piece;
  for (int look = 0; may_lock && look < kLockedTries && !difference.settled; ++look) {
    PHA_ASSIGN_OR_RETURN(const auto locked, CompareLocked(table, piece));
    if (!locked) continue;
    if (locked->on_primary == locked->on_node && locked->examples.empty()) {
      out->rows += locked->on_primary;
      return Ok();
    }
    difference = *locked;
    difference.settled = look + 1 == kLockedTries;
  }
  if (!difference.settled) {
    difference = {};
    difference.on_primary = here.rows;
    difference.on_node = there.rows;
  }
  difference.where = table.Where(piece);
  out->rows += difference.on_primary;
  out->differences.push_back(std::move(difference));
  return Ok();
}

Result<std::optional<PieceDifference>> Verifier::CompareLocked(const VerifyTable& table,
                                                               const Piece& piece) {
  // A reading that takes long would hold up whoever writes to the piece.
  PHA_TRY(primary_.Execute(
      (maria_db_ ? "SET SESSION max_statement_time=" + InSeconds(options_.locked)
                 : "SET SESSION max_execution_time=" + std::to_string(options_.locked.count())) +
          "; BEGIN",
      Soon()));
  auto compared = UnderLocks(table, piece);
  if (!primary_.broken()) {
    PHA_TRY(primary_.Execute(std::string("ROLLBACK; SET SESSION ") +
                                 (maria_db_ ? "max_statement_time=0" : "max_execution_time=0"),
                             Soon()));
  }
  if (compared.ok()) return compared;
  const int number = compared.error().number;
  const bool busy = number == kLockWaitTimeout || number == kDeadlock ||
                    number == kMariaDbTooLong || number == kMySqlTooLong;
  return busy ? std::optional<PieceDifference>() : std::move(compared);
}

Result<std::optional<PieceDifference>> Verifier::UnderLocks(const VerifyTable& table,
                                                            const Piece& piece) {
  PHA_ASSIGN_OR_RETURN(const Summed locked,
                       Ask(primary_, table.Sum(piece) + " LOCK IN SHARE MODE"));
  PHA_ASSIGN_OR_RETURN(const bool caught_up, CatchUp(options_.locked));
  if (!caught_up) return std::optional<PieceDifference>();
  PHA_ASSIGN_OR_RETURN(const Summed there, Ask(node_, table.Sum(piece)));
  PieceDifference difference;
  difference.on_primary = locked.rows;
  difference.on_node = there.rows;
  if (locked == there) return std::optional<PieceDifference>(difference);
  PHA_ASSIGN_OR_RETURN(const Hashes mine, HashesOf(primary_, table, piece));
  PHA_ASSIGN_OR_RETURN(const Hashes its, HashesOf(node_, table, piece));
  Tell(mine, its, &difference);
  return std::optional<PieceDifference>(difference);
}

Result<Verifier::Hashes> Verifier::HashesOf(Session& server, const VerifyTable& table,
                                            const Piece& piece) const {
  PHA_ASSIGN_OR_RETURN(const Rows rows, server.Query(table.EachRow(piece), Patiently()));
  Hashes hashes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    hashes[row.Text("k")].insert(row.Text("h"));
  }
  return hashes;
}

// Rows of one key that are the same on both sides are put aside; of the others as many as both have
// are not the same, and the rest is on one side only.
void Verifier::Tell(const Hashes& primary, const Hashes& node, PieceDifference* out) {
  std::set<std::string> keys;
  for (const auto* side : {&primary, &node}) {
    for (const auto& [key, hashes] : *side) keys.insert(key);
  }
  static const std::multiset<std::string> kNone;
  const auto of = [](const Hashes& side, const std::string& key) -> const auto& {
    const auto found = side.find(key);
    return found == side.end() ? kNone : found->second;
  };
  for (const std::string& key : keys) {
    const auto& here = of(primary, key);
    const auto& there = of(node, key);
    std::vector<std::string> both;
    std::set_intersection(here.begin(), here.end(), there.begin(), there.end(),
                          std::back_inserter(both));
    const std::uint64_t more_here = here.size() - both.size();
    const std::uint64_t more_there = there.size() - both.size();
    const std::uint64_t changed = std::min(more_here, more_there);
    out->not_the_same += changed;
    out->only_primary += more_here - changed;
    out->only_node += more_there - changed;
    if (more_here + more_there == 0 || out->examples.size() >= kMostExamples) continue;
    out->examples.push_back((key.empty() ? "a row" : key) +
                            (more_there == 0  ? " is only on the primary"
                             : more_here == 0 ? " is only on the node"
                                              : " is not the same"));
  }
}

}  // namespace

VerifyReport::Verdict VerifyReport::verdict() const {
  Verdict verdict = Verdict::kSame;
  for (const auto& [name, table] : tables) {
    if (!table.why_not.empty()) return Verdict::kDifferent;
    for (const PieceDifference& difference : table.differences) {
      if (difference.settled) return Verdict::kDifferent;
      verdict = Verdict::kNotSettled;
    }
  }
  return verdict;
}

Result<VerifyReport> VerifyNode(Session& primary, Session& node, const VerifyOptions& options) {
  Verifier verifier(primary, node, options);
  PHA_TRY(verifier.Run());
  return std::move(verifier.report());
}

}  // namespace pandora_ha
