// What merges have brought, as the primary itself keeps it beside the rows: `pandora_ha_merged`, a
// row for each of the node's transactions, and `pandora_ha_merged_event`, the new numbers of its
// events. Internal to the merge.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reconciler/binlog/history.h"
#include "reconciler/model/own_tables.h"
#include "reconciler/mysql/merge_writers.h"

namespace pandora_ha {

// Which changes of rows of one transaction were rejected, by their place in it, from 0.
class RejectedPlaces {
 public:
  // "0-4,9", as ToString() wrote it; what is not of that form ends it.
  static RejectedPlaces Parse(std::string_view text);
  // REQUIRES: after all that were added before.
  void Add(std::uint64_t place);
  bool Contains(std::uint64_t place) const;
  bool empty() const { return ranges_.empty(); }
  std::string ToString() const;

 private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;  // first and last, ascending
};

class MergeLedger {
 public:
  // `schema` as it is called, and quoted.
  MergeLedger(const MergeWriting& writing, std::string schema, std::string quoted)
      : writing_(writing), name_(std::move(schema)), schema_(std::move(quoted)) {}

  // Makes the tables where they are missing, and reads what was merged.
  Status Open();
  // Null: no merge has brought this transaction.
  const RejectedPlaces* Before(const TransactionHead& head) const;
  // The node's events that were brought by this transaction: old and new numbers.
  Result<std::vector<std::pair<std::int64_t, std::int64_t>>> EventsOf(
      const TransactionHead& head) const;

  // To be written by Flush(), in the primary's transaction that holds the rows.
  void Note(const TransactionHead& head, const RejectedPlaces& rejected, const std::string& archive,
            std::int64_t now);
  Status Flush();

  // The transaction's name in both tables: "'gtid',second".
  static std::string Key(const TransactionHead& head);
  std::string events_table() const { return schema_ + ".`" + kMergedEventTable + "`"; }

 private:
  std::string table() const { return schema_ + ".`" + kMergedTable + "`"; }
  Status Read();

  const MergeWriting& writing_;
  const std::string name_, schema_;
  std::map<std::pair<std::string, std::int64_t>, RejectedPlaces> before_;
  std::string rows_;  // to be written
};

}  // namespace pandora_ha
