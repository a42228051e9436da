// Orders of the job that takes an archive's transactions back on its node, and its account. The
// work itself is mysql/rewind.h's, wired in app/rewind_rows.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reconciler/base/result.h"
#include "reconciler/substrate/local/job.h"

namespace pandora_ha {

struct RewindOrder {
  std::string id;         // see ArchiveOfOrder()
  std::string directory;  // of the node
  std::string archive;
  JobLogin login;  // at the node
};

InitialiseCommand RewindCommand(const std::string& program, const RewindOrder& order);
Result<RewindOrder> ParseRewindOrder(std::string_view text);

// The account of the last rewind lies in the archive, for people too.
constexpr char kRewindAccount[] = "/rewound.json";
struct RewindAccount {
  std::string id;  // of the order
  std::int64_t transactions = 0, rows = 0;
};
Status WriteRewindAccount(const std::string& archive, const RewindAccount& account);
// kNotFound: nothing was rewound by a job.
Result<RewindAccount> ReadRewindAccount(const std::string& archive);

}  // namespace pandora_ha
