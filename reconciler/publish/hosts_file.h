// pandora_ha_hosts.conf: how Pandora servers and consoles themselves learn the primary.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/port/publisher.h"
#include "reconciler/publish/sidecar.h"

namespace pandora_ha {

struct HostsFileOptions {
  std::string path;             // …/data_in/conf/pandora_ha_hosts.conf
  std::string cluster;          // a directory that publishes another cluster is refused
  mode_t mode = 0640;           // of a file that is not there yet; its group is the directory's
  Milliseconds lease{0};        // written to the sidecar, for those that follow it; 0: none
  Milliseconds lock_wait{500};  // for another process that writes at this moment
};

// The file holds exactly one host, without port, comma or newline, and is replaced by rename:
// Pandora's console reads it with every request. An existing file keeps its group and mode, and its
// owner where this process may give files away. Servers read it only when they start, so a change
// takes a restart of them.
//
// The sidecar is written before the file: after a crash in between, the epoch is never too low, and
// the difference is reported until the next Publish(). A withdrawal changes only the sidecar,
// because Pandora cannot read "none" and an empty or missing file could be planted by an upload.
//
// Thread-safe; processes exclude each other by a lock file; one that is frozen with it loses it
// after 5 s and then replaces nothing. Keeps no descriptor open between calls.
class HostsFile final : public Publisher {
 public:
  // Touches nothing, because the directory may hang; leftovers of a crash are removed by the first
  // call that could write. `clock` must outlive it.
  HostsFile(HostsFileOptions options, const Clock& clock);

  // Durable when it returns. kInvalid: the host cannot stand in the file, or the sidecar is not
  // what a manager wrote (the epoch is then unknown). kConflict: a lower epoch than the sidecar's,
  // another node under its epoch, or another cluster's directory. kRefused: a symbolic link in the
  // way.
  Status Publish(const PublishedPrimary& primary) override;
  // Writes the mark into the sidecar, and waits for the followers on this machine that have clients
  // (presence.h). Others may see the mark too late; they cut with the withdrawal.
  Status Drain(Duration grace, Deadline deadline) override;
  // Nothing to do when nothing has been published.
  Status Withdraw() override;
  // From the files as they are now: a change by anybody else is a problem.
  PublicationSeen Current() const override;

  // Writes the sidecar's time anew, without waiting for the disk, and at most ten times a lease:
  // the directory may be a network's. Call it several times per lease; does nothing without one.
  Status Renew(Epoch epoch, TimePoint known_at) override;

 private:
  struct Found {
    std::optional<SmallFile> hosts;
    std::optional<Sidecar> sidecar;
  };
  // Released when it goes: the files are this process's alone until then.
  struct Opened {
    Descriptor directory, lock;
    Found found;
    TimePoint since{};
  };
  Result<Opened> Open();
  Result<Found> Look(const Descriptor& directory) const;
  Status CheckMayPublish(const Found& found, const PublishedPrimary& primary) const;
  Result<FileRights> RightsFor(const Descriptor& directory, const Found& found) const;
  Status Replace(const Opened& opened, const std::string& name, const std::string& text,
                 const FileRights& rights, Durability durability) const;
  Status WriteSidecar(const Opened& opened, const Sidecar& sidecar, Durability durability) const;
  std::string ProblemOf(const Found& found) const;

  const HostsFileOptions options_;
  const SplitPath path_;
  const std::string sidecar_name_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  bool cleared_ = false;  // of what a crash left
  Epoch highest_;  // of this object: a sidecar that was removed must not let an older epoch in
};

}  // namespace pandora_ha
