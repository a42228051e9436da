// One archive into one primary: what the command and the supervisor's job share.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/model/divergence.h"
#include "reconciler/mysql/merge.h"
#include "reconciler/mysql/session.h"

namespace pandora_ha {

struct MergeInto {
  std::string archive;
  NodeName primary;
  SessionOptions session;  // with the primary
  Epoch epoch;             // of the primary
  bool dry_run = false;
  std::optional<WallTime> since, until;  // see MergeOptions
  Seconds connect{10};
  Seconds patience{30};  // of one transaction
  // Transactions read so far, and all of them; may be empty.
  std::function<void(std::uint64_t, std::uint64_t)> progress;
};

// As MergeArchive(). kConflict: it is an archive of the primary itself.
Result<MergeReport> MergeRows(const MergeInto& what);

MergedRows Sum(const MergeReport& report);
// As `merge -o json` prints it and as it lies in the archive.
nlohmann::json ToJson(const MergeReport& report, const MergeInto& what);

// The job: reads a MergeOrder from standard input, does it, leaves the account in the archive, and
// returns the process's exit code.
int RunMerger();

}  // namespace pandora_ha
