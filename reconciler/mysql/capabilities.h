// What one server can do and how it wants to be spoken to; found once on connect.
#pragma once

#include <string>

#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"
#include "reconciler/mysql/rows.h"

namespace pandora_ha {

struct Capabilities {
  ServerVersion version;
  // Built in on MariaDB; on MySQL each side is a plugin that may not be loaded.
  bool semi_sync_source = false;
  bool semi_sync_replica = false;
  // MySQL: the plugins' variables say source/replica (since 8.0.26) or master/slave.
  bool semi_sync_new_words = false;
};

// Reads the version that a server sends on connect: "9.7.4-2", "8.0.36-28" (Percona),
// "10.11.19-MariaDB-0+deb12u1-log", "5.5.5-10.11.6-MariaDB" (the old disguise). kUnsupported below
// MySQL 8.0.23 and MariaDB 10.5.
Result<ServerVersion> ParseServerVersion(const std::string& text);

// A statement whose rows ReadCapabilities() reads.
inline constexpr char kCapabilityQuery[] =
    "SHOW GLOBAL VARIABLES LIKE 'rpl\\_semi\\_sync\\_%\\_enabled'";
Capabilities ReadCapabilities(const ServerVersion& version, const Rows& rows);

// `version` is `major.minor.patch` or later.
bool AtLeast(const ServerVersion& version, int major, int minor, int patch);

}  // namespace pandora_ha
