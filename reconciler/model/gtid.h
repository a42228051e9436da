// Sets of transactions, for both families of servers, in one algebra.
//
// MySQL names a transaction uuid:number (8.3 and later also uuid:tag:number) and reports sets of
// ranges. MariaDB names it domain-server-number and reports, per domain and server, the last number
// seen; under gtid_strict_mode, which we require, numbers of one domain only grow, so "server s of
// domain d is known up to n" stands for every transaction of s in d with a number ≤ n. Both become
// here a map from a source to ranges of numbers, and "does a hold everything b holds" is one
// question.
//
// A MariaDB *position* ("0-2-17") alone says nothing about the transactions of other servers before
// it; compare only sets made from gtid_binlog_state (joined with gtid_slave_pos), which list every
// source.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

class GtidSet {
 public:
  // Closed: first ≤ last, first ≥ 1.
  struct Range {
    std::uint64_t first;
    std::uint64_t last;
    bool operator==(const Range&) const = default;
  };

  // The empty set of no family; it is contained in every set.
  GtidSet() = default;

  // What the server prints: "uuid:1-5:7,uuid2:tag:1" or "0-1-9,0-2-12". White space and line breaks
  // between the parts are allowed; case of a uuid is folded. A MariaDB entry stands for every
  // number up to the one printed; several entries of one source join.
  static Result<GtidSet> Parse(Flavor flavor, std::string_view text);

  bool empty() const { return sources_.empty(); }

  // Every transaction of `other` is in this set. Sets of different families contain one another
  // only when empty.
  bool Contains(const GtidSet& other) const;
  GtidSet Union(const GtidSet& other) const;
  // What is in this set and not in `other`.
  GtidSet Subtract(const GtidSet& other) const;

  // What one server wrote itself: `server` is its server_uuid (MySQL) or its server_id (MariaDB).
  GtidSet WrittenBy(std::string_view server) const;

  // How many transactions of `this` are missing in `other`. For MySQL exact. For MariaDB the
  // numbers of a domain are shared by its servers, so the answer is the distance, per domain, from
  // the last number both know to the last number of `this`: exact as long as the server wrote no
  // gaps. Never 0 while anything is missing.
  std::uint64_t CountMissingIn(const GtidSet& other) const;

  // Stable: the same set prints the same text, which Parse of the same family reads back. MariaDB
  // prints the last number of each source.
  std::string ToString() const;

  const std::map<std::string, std::vector<Range>>& sources() const { return sources_; }
  bool operator==(const GtidSet&) const = default;

 private:
  // "uuid" or "uuid:tag" for MySQL, "domain-server" for MariaDB → sorted, disjoint, non-adjacent
  // ranges.
  std::map<std::string, std::vector<Range>> sources_;
  std::optional<Flavor> flavor_;  // none: empty
};

}  // namespace pandora_ha
