// What a merge writes, many rows in one statement. Internal to the merge.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/mysql/merge_tables.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct MergeWriting {
  Session& session;
  bool dry_run = false;
  Seconds patience{30};
  bool maria_db = false;

  Deadline Soon() const { return Deadline(SystemClock(), patience); }
  Status Write(const std::string& sql) const {
    return dry_run ? Ok() : session.Execute(sql, Soon());
  }
};

// Rows of one data table: (module, value, second). The same value of the same module at the same
// second is the same datum; it is written once.
class DataWriter {
 public:
  DataWriter(const MergeWriting& writing, const MergeTable& table, bool text)
      : writing_(writing), table_(table), text_(text) {}

  // `value` is a literal.
  Status Add(std::int64_t module, const std::string& value, std::int64_t second);
  Status Flush();
  // Since the last call.
  struct Counts {
    std::uint64_t merged = 0, already_there = 0;
  };
  Counts Take() { return std::exchange(counts_, {}); }

 private:
  const MergeWriting& writing_;
  const MergeTable& table_;
  const bool text_;
  std::set<std::string> rows_;  // "7,1.5e0,1700000000"
  std::size_t bytes_ = 0;       // of them
  Counts counts_;
};

// Events, which get new numbers. One statement's rows are numbered in a row: InnoDB takes as many
// numbers as the statement is known to have rows, at once.
class EventWriter {
 public:
  // `ledger`: schema.`pandora_ha_merged_event`.
  EventWriter(const MergeWriting& writing, const MergeTable& table, std::string ledger)
      : writing_(writing), table_(table), ledger_(std::move(ledger)) {}

  // `key`: of the node's transaction, as the ledger has it.
  Status Add(const Row& row, std::int64_t agent, std::int64_t module, std::int64_t old_id,
             const std::string& key);
  Status Flush();

  // An earlier run wrote it.
  void Know(std::int64_t old_id, std::int64_t new_id) { numbers_[old_id] = new_id; }
  void Forget(std::int64_t old_id) { numbers_.erase(old_id); }
  bool Knows(std::int64_t old_id) const { return numbers_.contains(old_id); }
  // Its number on the primary, written if need be. REQUIRES: Knows(old_id).
  Result<std::int64_t> Number(std::int64_t old_id);

 private:
  struct Waiting {
    std::int64_t old_id;
    std::string key;
  };
  const MergeWriting& writing_;
  const MergeTable& table_;
  const std::string ledger_;
  std::string names_, values_;
  std::vector<Waiting> waiting_;
  std::map<std::int64_t, std::int64_t> numbers_;
};

}  // namespace pandora_ha
