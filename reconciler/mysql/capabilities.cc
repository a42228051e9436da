#include "reconciler/mysql/capabilities.h"

#include <cstdio>
#include <tuple>

namespace pandora_ha {
namespace {

constexpr std::string_view kDisguise = "5.5.5-";

}  // namespace

bool AtLeast(const ServerVersion& version, int major, int minor, int patch) {
  return std::tuple(version.major, version.minor, version.patch) >= std::tuple(major, minor, patch);
}

Result<ServerVersion> ParseServerVersion(const std::string& text) {
  ServerVersion version;
  version.text = text;
  const bool mariadb = text.find("MariaDB") != std::string::npos;
  if (mariadb && text.starts_with(kDisguise)) version.text = text.substr(kDisguise.size());
  version.flavor = mariadb ? Flavor::kMariaDb : Flavor::kMySql;
  if (std::sscanf(version.text.c_str(), "%d.%d.%d", &version.major, &version.minor,
                  &version.patch) != 3) {
    return Error{ErrorCode::kUnsupported, "a server that calls its version '" + text +
                                              "' is neither MySQL nor MariaDB as known here"};
  }
  const bool known = mariadb ? AtLeast(version, 10, 5, 0) : AtLeast(version, 8, 0, 23);
  if (!known) {
    return Error{ErrorCode::kUnsupported,
                 "server version " + text +
                     " is too old: MySQL 8.0.23 or MariaDB 10.5 is the oldest that works"};
  }
  return version;
}

Capabilities ReadCapabilities(const ServerVersion& version, const Rows& rows) {
  Capabilities found;
  found.version = version;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string name = RowReader(rows, i).Text("Variable_name");
    const bool new_source = name == "rpl_semi_sync_source_enabled";
    const bool new_replica = name == "rpl_semi_sync_replica_enabled";
    found.semi_sync_source |= new_source || name == "rpl_semi_sync_master_enabled";
    found.semi_sync_replica |= new_replica || name == "rpl_semi_sync_slave_enabled";
    found.semi_sync_new_words |= new_source || new_replica;
  }
  return found;
}

}  // namespace pandora_ha
