// The file beside pandora_ha_hosts.conf that says what a bare host name cannot: which epoch, which
// port, when, and what the hosts file must look like.
//
// Its name ends in .json: Tentacle sends uploads into that directory by the endings .conf, .md5 and
// .zip only, and Pandora reads nothing else there.
#pragma once

#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/base/safe_file.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

// What a mode may hold at most, wherever it was read: a planted file must open nothing.
constexpr mode_t kMostHostsMode = 0775;

struct Sidecar {
  std::string cluster;
  PublishedPrimary primary;  // the last one, also when withdrawn
  bool withdrawn = false;
  WallTime written_at{};    // by the writing manager's clock
  Milliseconds lease{0};    // how long from written_at it may be believed; 0: until the next one
  std::string sha256;       // of the hosts file's content, hex
  FileRights hosts_rights;  // as the hosts file was written
  // A planned change is about to begin: followers let nobody new in, and from `grace` after they
  // see it on they end their clients between two statements. A withdrawal or a publication follows
  // before `until`, by the writing manager's clock; else that manager has died, and the mark is
  // void.
  struct Drain {
    Milliseconds grace{0};
    WallTime until{};
    bool operator==(const Drain&) const = default;
  };
  std::optional<Drain> drain = std::nullopt;

  bool operator==(const Sidecar&) const = default;
};

// ".../pandora_ha_hosts.conf" → ".../pandora_ha_hosts.json"
std::string SidecarName(const std::string& hosts_file);

std::string PrintSidecar(const Sidecar& sidecar);
// `where` names the file in the error. Every field but `drain` must be there; unknown ones are
// ignored.
Result<Sidecar> ParseSidecar(const std::string& text, const std::string& where);

// When its manager knew it to be true, on this machine's clock: counted by wall time, and a time in
// the future counts as now. kRefused: its lease is over. REQUIRES: it has a lease
Result<TimePoint> KnownAt(const Sidecar& sidecar, const Instant& now, const std::string& where);

std::string Sha256(const std::string& text);

}  // namespace pandora_ha
