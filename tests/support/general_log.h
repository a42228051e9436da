// A server's general query log: who sent which statement.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace pandora_ha {

struct LoggedStatement {
  std::uint64_t connection = 0;
  std::string command;  // "Connect", "Query", ...
  std::string text;
};

// MariaDB's and MySQL's form; statements of several lines are one.
std::vector<LoggedStatement> ReadGeneralLog(const std::string& text);

std::set<std::uint64_t> ConnectionsIn(const std::vector<LoggedStatement>& log);
// Those that `user` opened last. REQUIRES: the log from its beginning.
std::set<std::uint64_t> ConnectionsOf(const std::string& user,
                                      const std::vector<LoggedStatement>& log);

// The statements that change a server, or try to, or take the managers' lock: all that are not
// known to read only.
std::vector<LoggedStatement> ChangesIn(const std::vector<LoggedStatement>& log);

}  // namespace pandora_ha
