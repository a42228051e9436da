#include "reconciler/substrate/local/jobs.h"

#include "reconciler/substrate/local/archiver.h"
#include "reconciler/substrate/local/merger.h"
#include "reconciler/substrate/local/rewinder.h"
#include "reconciler/substrate/local/verifier.h"

namespace pandora_ha {
namespace {

template <class Seen>
std::optional<Seen> SeenOf(const JobRun& job, const Seen& result) {
  if (!job.seen()) return std::nullopt;
  Seen seen = job.seen()->phase == JobSeen::Phase::kDone ? result : Seen();
  static_cast<JobSeen&>(seen) = *job.seen();
  return seen;
}

}  // namespace

Jobs::Jobs(const std::string& directory, const std::function<void()>& changed)
    : archive(
          "archive", directory, SystemClock(), [this](const auto& id) { return TakeArchive(id); },
          changed),
      merge(
          "merge", directory, SystemClock(), [this](const auto& id) { return TakeMerge(id); },
          changed),
      rewind(
          "rewind", directory, SystemClock(), [this](const auto& id) { return TakeRewind(id); },
          changed),
      verify(
          "verify", directory, SystemClock(),
          [this](const auto& id) { return TakeVerification(id); }, changed),
      directory_(directory) {}

Status Jobs::Adopt() {
  const std::string newest = NewestArchive(directory_);
  PHA_TRY(archive.Adopt(newest));
  const auto account = ReadMergeAccount(ArchivePlace(directory_, newest));
  PHA_TRY(merge.Adopt(!newest.empty() && account.ok() ? account->id : ""));
  const auto rewound = ReadRewindAccount(ArchivePlace(directory_, newest));
  PHA_TRY(rewind.Adopt(!newest.empty() && rewound.ok() ? rewound->id : ""));
  const auto verified = ReadVerifyAccount(directory_);
  return verify.Adopt(verified.ok() ? verified->id : "");
}

std::optional<ArchiveSeen> Jobs::Archive() const {
  return SeenOf(archive, archived_);
}

std::optional<MergeSeen> Jobs::Merge() const {
  return SeenOf(merge, merged_);
}

std::optional<VerificationSeen> Jobs::Verification() const {
  return SeenOf(verify, verified_);
}

// The manifest alone says that an archive is there.
std::optional<std::int64_t> Jobs::TakeArchive(const std::string& id) {
  const std::string place = ArchivePlace(directory_, id);
  const auto manifest = ReadManifest(place);
  if (!manifest.ok()) return std::nullopt;
  archived_.place = place;
  archived_.divergence = manifest->divergence;
  std::int64_t bytes = 0;
  for (const ArchivedFile& file : manifest->files) bytes += static_cast<std::int64_t>(file.bytes);
  return bytes;
}

std::optional<std::int64_t> Jobs::TakeMerge(const std::string& id) {
  const auto account = ReadMergeAccount(ArchivePlace(directory_, ArchiveOfOrder(id)));
  if (!account.ok() || account->id != id) return std::nullopt;
  merged_.rows = account->rows;
  return account->transactions;
}

std::optional<std::int64_t> Jobs::TakeRewind(const std::string& id) {
  const auto account = ReadRewindAccount(ArchivePlace(directory_, ArchiveOfOrder(id)));
  if (!account.ok() || account->id != id) return std::nullopt;
  return account->rows;
}

std::optional<std::int64_t> Jobs::TakeVerification(const std::string& id) {
  const auto account = ReadVerifyAccount(directory_);
  if (!account.ok() || account->id != id) return std::nullopt;
  verified_.differs = account->differs;
  verified_.settled = account->settled;
  return account->rows;
}

}  // namespace pandora_ha
