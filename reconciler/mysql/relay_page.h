// What SHOW RELAYLOG EVENTS answers, page after page. Pure: rows in, values out.
#pragma once

#include <optional>
#include <string>

#include "reconciler/model/gtid.h"
#include "reconciler/mysql/rows.h"

namespace pandora_ha {

// A place in a replica's relay log, or from where on to look.
struct RelayPlace {
  std::string file;
  std::int64_t position = 0;
};

inline constexpr std::int64_t kFirstRelayPosition = 4;  // after a binary log's magic number

struct RelayTail {
  GtidSet holds;                              // transactions found from the recorded place on
  std::optional<RelayPlace> first_unapplied;  // none: all of them are executed
  bool complete = true;  // false: too long for one go, or not readable to its end
};

// The transactions that begin on this page of `file`, into `tail`.
void AddRelayPage(const Rows& rows, const std::string& file, const GtidSet& executed,
                  RelayTail* tail);

// "relay.000009" → "relay.000010"; empty when the name does not end in a number that has a next.
std::string NextRelayFile(const std::string& file);

}  // namespace pandora_ha
