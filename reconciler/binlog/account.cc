#include "reconciler/binlog/account.h"

#include <algorithm>
#include <utility>

#include "reconciler/model/own_tables.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kLongestStatement = 200;

void Add(RowCounts& to, const RowCounts& more) {
  to.inserted += more.inserted;
  to.updated += more.updated;
  to.deleted += more.deleted;
}

}  // namespace

// A MariaDB head names all earlier numbers of its writer too; those that `known` lacks are this one
// and others of the same kind.
bool OwnTransactions::Holds(const TransactionHead& head) const {
  const GtidSet lacking = head.gtid.Subtract(known);
  return !lacking.empty() && (!own || own->Contains(lacking));
}

Accountant::Accountant(OwnTransactions which, std::string schema)
    : which_(std::move(which)), schema_(std::move(schema)) {}

Result<bool> Accountant::Begin(const TransactionHead& head) {
  if (!which_.Holds(head)) return false;
  head_ = head;
  changed_.clear();
  stated_.clear();
  return true;
}

Status Accountant::Changed(const TableMap& table, const RowChange& change) {
  if (table.schema == schema_ && IsOwnTable(table.table)) return Ok();
  RowCounts& counts = changed_[table.schema + "." + table.table];
  switch (change.kind) {
    case RowChange::Kind::kInsert:
      ++counts.inserted;
      break;
    case RowChange::Kind::kUpdate:
      ++counts.updated;
      break;
    case RowChange::Kind::kDelete:
      ++counts.deleted;
      break;
  }
  return Ok();
}

Status Accountant::Stated(std::string_view schema, std::string_view statement) {
  std::string text(statement.substr(0, kLongestStatement));
  if (!schema.empty()) text = std::string(schema) + ": " + text;
  stated_.push_back(std::move(text));
  return Ok();
}

Status Accountant::Committed() {
  counted_ = counted_.Union(head_.gtid.Subtract(which_.known));
  ++sum_.transactions;
  if (changed_.empty() && stated_.empty()) {
    ++sum_.marks;
    return Ok();
  }
  if (!sum_.first || head_.at < *sum_.first) sum_.first = head_.at;
  if (!sum_.last || head_.at > *sum_.last) sum_.last = head_.at;
  for (const auto& [table, counts] : changed_) Add(tables_[table], counts);
  for (std::string& statement : stated_) {
    ++sum_.statement_count;
    if (sum_.statements.size() < Divergence::kMostStatements)
      sum_.statements.push_back(std::move(statement));
  }
  return Ok();
}

Divergence Accountant::Sum() const {
  std::vector<std::pair<std::string, RowCounts>> sorted(tables_.begin(), tables_.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.all() > b.second.all(); });
  Divergence sum = sum_;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i < Divergence::kMostTables) {
      sum.tables.insert(sorted[i]);
    } else {
      Add(sum.other_tables, sorted[i].second);
    }
  }
  return sum;
}

}  // namespace pandora_ha
