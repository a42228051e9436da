#include "reconciler/publish/hosts_file.h"

#include <algorithm>
#include <utility>

#include "reconciler/publish/presence.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kLongestHost = 253;
// After the end of a drain; a manager that has not withdrawn by then has died.
constexpr Seconds kWithdrawnWithin{1};
// Shorter than the time after which another manager takes over from one that is frozen.
constexpr Seconds kLongestWrite{4};

// Pandora takes the file's text as it is; the console splits it at commas.
Status CheckHost(const std::string& host) {
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  });
  if (plain && !host.empty() && host.size() <= kLongestHost) return Ok();
  return Error{
      ErrorCode::kInvalid,
      "pandora_ha_hosts.conf can hold one host name or address; this is none: \"" + host + "\"."};
}

}  // namespace

HostsFile::HostsFile(HostsFileOptions options, const Clock& clock)
    : options_(std::move(options)),
      path_(Split(options_.path)),
      sidecar_name_(SidecarName(path_.name)),
      clock_(clock) {}

Result<HostsFile::Found> HostsFile::Look(const Descriptor& directory) const {
  Found found;
  PHA_ASSIGN_OR_RETURN(found.hosts, ReadSmallFile(directory, path_.name));
  PHA_ASSIGN_OR_RETURN(const auto text, ReadSmallFile(directory, sidecar_name_));
  if (text) {
    PHA_ASSIGN_OR_RETURN(found.sidecar,
                         ParseSidecar(text->content, path_.directory + "/" + sidecar_name_));
  }
  return found;
}

Result<HostsFile::Opened> HostsFile::Open() {
  Opened opened;
  opened.since = clock_.Now().mono;
  PHA_ASSIGN_OR_RETURN(opened.directory, OpenDirectory(path_.directory));
  PHA_ASSIGN_OR_RETURN(
      opened.lock, LockFile(opened.directory, path_.name, Deadline(clock_, options_.lock_wait)));
  if (!std::exchange(cleared_, true)) {
    RemoveLeftover(opened.directory, path_.name);
    RemoveLeftover(opened.directory, sidecar_name_);
  }
  PHA_ASSIGN_OR_RETURN(opened.found, Look(opened.directory));
  return opened;
}

Status HostsFile::CheckMayPublish(const Found& found, const PublishedPrimary& primary) const {
  Epoch highest = highest_;
  if (found.sidecar) {
    if (found.sidecar->cluster != options_.cluster) {
      return Error{ErrorCode::kConflict, options_.path + " publishes the cluster " +
                                             found.sidecar->cluster + ", not " + options_.cluster +
                                             "; give each cluster its own data_in."};
    }
    highest = std::max(highest, found.sidecar->primary.epoch);
  }
  const bool other_of_same_epoch = found.sidecar && primary.epoch == found.sidecar->primary.epoch &&
                                   primary.node != found.sidecar->primary.node;
  if (primary.epoch < highest || other_of_same_epoch) {
    return Error{
        ErrorCode::kConflict,
        options_.path + " already names the primary of epoch " + std::to_string(highest.number) +
            " and refuses " + primary.node.text + " of epoch " +
            std::to_string(primary.epoch.number) +
            ". Another manager has promoted a node meanwhile; look at `pandora-ha history`."};
  }
  return Ok();
}

// What we wrote last counts more than what is there: a planted file must not choose its own owner.
Result<FileRights> HostsFile::RightsFor(const Descriptor& directory, const Found& found) const {
  struct stat facts {};
  fstat(directory.get(), &facts);
  FileRights rights{geteuid(), facts.st_gid, options_.mode};
  if (found.sidecar) {
    rights = found.sidecar->hosts_rights;
  } else if (found.hosts) {
    rights = found.hosts->rights;
  }
  rights.mode &= kMostHostsMode;
  return AttainableRights(directory, path_.name, rights);
}

Status HostsFile::Replace(const Opened& opened, const std::string& name, const std::string& text,
                          const FileRights& rights, Durability durability) const {
  return ReplaceFile(opened.directory, name, text, rights, durability, [&]() -> Status {
    const bool in_time = clock_.Now().mono - opened.since < kLongestWrite;
    if (in_time && StillLocks(opened.directory, path_.name, opened.lock)) return Ok();
    return Error{ErrorCode::kConflict,
                 "This manager was held up while it wrote " + path_.directory + "/" + name +
                     ", and another one may have taken over since; nothing was changed there."};
  });
}

Status HostsFile::WriteSidecar(const Opened& opened, const Sidecar& sidecar,
                               Durability durability) const {
  return Replace(opened, sidecar_name_, PrintSidecar(sidecar), sidecar.hosts_rights, durability);
}

Status HostsFile::Publish(const PublishedPrimary& primary) {
  PHA_TRY(CheckHost(primary.address.host));
  const std::lock_guard lock(mutex_);
  PHA_ASSIGN_OR_RETURN(const Opened opened, Open());
  const auto& directory = opened.directory;
  const auto& found = opened.found;
  PHA_TRY(CheckMayPublish(found, primary));
  highest_ = primary.epoch;
  // A drain that its manager left behind has ended by itself, and nobody asks after it any more.
  const bool drains =
      found.sidecar && found.sidecar->drain && clock_.Now().wall < found.sidecar->drain->until;
  const bool told = found.sidecar && found.sidecar->primary == primary &&
                    !found.sidecar->withdrawn && !drains && found.sidecar->lease == options_.lease;
  if (told && options_.lease.count() == 0 && ProblemOf(found).empty()) return Ok();

  Sidecar sidecar;
  sidecar.cluster = options_.cluster;
  sidecar.primary = primary;
  sidecar.written_at = clock_.Now().wall;
  sidecar.lease = options_.lease;
  sidecar.sha256 = Sha256(primary.address.host);
  PHA_ASSIGN_OR_RETURN(sidecar.hosts_rights, RightsFor(directory, found));
  PHA_TRY(WriteSidecar(opened, sidecar, Durability::kSynced));
  PHA_TRY(
      Replace(opened, path_.name, primary.address.host, sidecar.hosts_rights, Durability::kSynced));
  return SyncDirectory(directory);
}

Status HostsFile::Drain(Duration grace, Deadline deadline) {
  Descriptor directory;
  {
    const std::lock_guard lock(mutex_);
    PHA_ASSIGN_OR_RETURN(Opened opened, Open());
    auto& sidecar = opened.found.sidecar;
    if (!sidecar || sidecar->withdrawn) return Ok();
    PHA_TRY(CheckMayPublish(opened.found, sidecar->primary));
    sidecar->drain = {
        std::chrono::ceil<Milliseconds>(grace),
        clock_.Now().wall + std::chrono::ceil<Milliseconds>(deadline.left()) + kWithdrawnWithin};
    PHA_TRY(WriteSidecar(opened, *sidecar, Durability::kCacheOnly));
    directory = std::move(opened.directory);
  }
  return AwaitAbsence(directory, deadline);
}

Status HostsFile::Withdraw() {
  const std::lock_guard lock(mutex_);
  PHA_ASSIGN_OR_RETURN(Opened opened, Open());
  auto& sidecar = opened.found.sidecar;
  if (!sidecar || sidecar->withdrawn) return Ok();
  PHA_TRY(CheckMayPublish(opened.found, sidecar->primary));
  sidecar->withdrawn = true;
  sidecar->drain.reset();
  sidecar->written_at = clock_.Now().wall;
  PHA_TRY(WriteSidecar(opened, *sidecar, Durability::kSynced));
  return SyncDirectory(opened.directory);
}

Status HostsFile::Renew(Epoch epoch, TimePoint known_at) {
  const std::lock_guard lock(mutex_);
  PHA_ASSIGN_OR_RETURN(Opened opened, Open());
  auto& sidecar = opened.found.sidecar;
  if (!sidecar || sidecar->withdrawn) return Ok();
  // A sidecar of a higher epoch is another manager's: ours must not prolong it.
  if (sidecar->cluster != options_.cluster || sidecar->primary.epoch != epoch || epoch < highest_) {
    return Error{ErrorCode::kConflict, options_.path + " was published by another manager (epoch " +
                                           std::to_string(sidecar->primary.epoch.number) +
                                           "); this one does not prolong it."};
  }
  const Instant now = clock_.Now();
  const WallTime known = now.wall - std::chrono::ceil<Milliseconds>(now.mono - known_at);
  // A time in the future is a clock that was set back: it is not "young".
  const Duration age = known - sidecar->written_at;
  const bool young = age >= Duration::zero() && age < options_.lease / 10;
  if (sidecar->lease == options_.lease && (options_.lease.count() == 0 || young)) return Ok();
  sidecar->written_at = known;
  sidecar->lease = options_.lease;
  return WriteSidecar(opened, *sidecar, Durability::kCacheOnly);
}

std::string HostsFile::ProblemOf(const Found& found) const {
  if (!found.sidecar) {
    return found.hosts ? options_.path + " was written by somebody else: it has no sidecar" : "";
  }
  if (found.sidecar->cluster != options_.cluster) {
    return options_.path + " publishes another cluster, " + found.sidecar->cluster;
  }
  if (!found.hosts) return options_.path + " has been removed: an upload could plant one";
  if (Sha256(found.hosts->content) != found.sidecar->sha256) {
    return options_.path + " does not hold what was published: somebody else has changed it";
  }
  const FileRights& now = found.hosts->rights;
  const FileRights& ours = found.sidecar->hosts_rights;
  if (now != ours) {
    return options_.path + " has another owner, group or mode than it was written with";
  }
  return "";
}

PublicationSeen HostsFile::Current() const {
  // Between the two renames of a Publish() the files differ, and that is nobody's foreign change.
  const std::lock_guard lock(mutex_);
  PublicationSeen seen;
  const auto directory = OpenDirectory(path_.directory);
  if (!directory) {
    seen.problem = directory.error().message;
    return seen;
  }
  const auto found = Look(*directory);
  if (!found) {
    seen.problem = found.error().message;
    return seen;
  }
  seen.problem = ProblemOf(*found);
  if (!found->sidecar || found->sidecar->cluster != options_.cluster) return seen;
  seen.epoch = found->sidecar->primary.epoch;
  if (!found->sidecar->withdrawn) seen.primary = found->sidecar->primary.node;
  return seen;
}

}  // namespace pandora_ha
