// Orders of the job that merges an archive into the primary, and its account. The merging itself is
// mysql/merge.h's, wired in app/merge_rows.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reconciler/base/result.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/ids.h"
#include "reconciler/substrate/local/job.h"

namespace pandora_ha {

struct MergeOrder {
  std::string id;         // see ArchiveOfOrder()
  std::string directory;  // of the node whose rows they are
  std::string archive;
  NodeName primary;
  JobLogin login;  // at the primary
  Epoch epoch;     // of the primary
};

InitialiseCommand MergeCommand(const std::string& program, const MergeOrder& order);
Result<MergeOrder> ParseMergeOrder(std::string_view text);

// The account of the last merge lies in the archive, for people too.
constexpr char kMergeAccount[] = "/merged.json";
struct MergeAccount {
  std::string id;  // of the order
  std::int64_t transactions = 0;
  MergedRows rows;
};
// kNotFound: nothing was merged by a job.
Result<MergeAccount> ReadMergeAccount(const std::string& archive);

}  // namespace pandora_ha
