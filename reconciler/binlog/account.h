// Counts what the transactions of a history did.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "reconciler/binlog/history.h"
#include "reconciler/model/divergence.h"

namespace pandora_ha {

// Which transactions of a log are a node's own: what it has of others, and what its log went on to
// receive from the primary since, is in neither set.
struct OwnTransactions {
  GtidSet known;               // what the primary had
  std::optional<GtidSet> own;  // what the node has and the primary lacks; none: all but `known`

  bool Holds(const TransactionHead& head) const;
};

class Accountant final : public HistoryVisitor {
 public:
  // Our own tables of `schema` hold marks.
  Accountant(OwnTransactions which, std::string schema);

  Result<bool> Begin(const TransactionHead& head) override;
  Status Changed(const TableMap& table, const RowChange& change) override;
  Status Stated(std::string_view schema, std::string_view statement) override;
  Status Committed() override;

  // All tables.
  const std::map<std::string, RowCounts>& tables() const { return tables_; }
  // The transactions that were counted.
  const GtidSet& counted() const { return counted_; }
  // Shortened to what people read.
  Divergence Sum() const;

 private:
  const OwnTransactions which_;
  const std::string schema_;
  Divergence sum_;
  std::map<std::string, RowCounts> tables_;
  GtidSet counted_;
  // Of the transaction that is being told:
  TransactionHead head_;
  std::map<std::string, RowCounts> changed_;
  std::vector<std::string> stated_;
};

}  // namespace pandora_ha
