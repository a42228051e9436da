// The jobs of one supervisor, and what they made.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "reconciler/substrate/local/job.h"

namespace pandora_ha {

// Belongs to the supervisor's single thread, as its parts.
class Jobs {
 public:
  // `changed` is called on every change of what is seen.
  Jobs(const std::string& directory, const std::function<void()>& changed);

  // Ends what a predecessor began, and learns of the newest archive, its merge and its rewind, and
  // of the last comparison.
  Status Adopt();
  std::optional<ArchiveSeen> Archive() const;
  std::optional<MergeSeen> Merge() const;
  std::optional<VerificationSeen> Verification() const;

  JobRun archive, merge, rewind, verify;

 private:
  std::optional<std::int64_t> TakeArchive(const std::string& id);
  std::optional<std::int64_t> TakeMerge(const std::string& id);
  std::optional<std::int64_t> TakeRewind(const std::string& id);
  std::optional<std::int64_t> TakeVerification(const std::string& id);

  const std::string directory_;
  ArchiveSeen archived_;  // the results of what is done
  MergeSeen merged_;
  VerificationSeen verified_;
};

}  // namespace pandora_ha
