#include "tests/support/general_log.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <sstream>

namespace pandora_ha {
namespace {

// "241124 18:33:40<tab>     5 Query<tab>SELECT 1", without the time when it is the last one's.
std::optional<LoggedStatement> ReadLine(const std::string& line) {
  std::size_t at = line.find('\t');
  if (at == std::string::npos) return std::nullopt;
  at = line.find_first_not_of("\t ", at);
  if (at == std::string::npos) return std::nullopt;
  LoggedStatement read;
  for (; at < line.size() && std::isdigit(static_cast<unsigned char>(line[at])); ++at)
    read.connection = read.connection * 10 + static_cast<std::uint64_t>(line[at] - '0');
  if (read.connection == 0 || at >= line.size() || line[at] != ' ') return std::nullopt;
  const std::size_t end = line.find('\t', at);
  if (end == std::string::npos) return std::nullopt;
  read.command = line.substr(at + 1, end - at - 1);
  read.text = line.substr(end + 1);
  return read;
}

// What a look, a question and a new connection say; variables with one @ are the session's own.
constexpr std::array kReading = {"SELECT",          "SHOW",    "SET SESSION", "SET NAMES",
                                 "SET @pandora_ha", "DO SLEEP"};

bool ReadsOnly(const LoggedStatement& statement) {
  if (statement.command != "Query" && statement.command != "Execute") return true;
  if (statement.text.starts_with("SET @@")) return false;
  return std::any_of(kReading.begin(), kReading.end(),
                     [&](const char* beginning) { return statement.text.starts_with(beginning); });
}

}  // namespace

std::vector<LoggedStatement> ReadGeneralLog(const std::string& text) {
  std::vector<LoggedStatement> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (auto statement = ReadLine(line)) {
      all.push_back(*std::move(statement));
    } else if (!all.empty()) {
      all.back().text += "\n" + line;
    }
  }
  return all;
}

std::set<std::uint64_t> ConnectionsIn(const std::vector<LoggedStatement>& log) {
  std::set<std::uint64_t> all;
  for (const LoggedStatement& statement : log) all.insert(statement.connection);
  return all;
}

std::set<std::uint64_t> ConnectionsOf(const std::string& user,
                                      const std::vector<LoggedStatement>& log) {
  std::set<std::uint64_t> all;
  for (const LoggedStatement& statement : log) {
    if (statement.command != "Connect") continue;
    // A server that was started again counts from one again.
    if (statement.text.starts_with(user + "@")) {
      all.insert(statement.connection);
    } else {
      all.erase(statement.connection);
    }
  }
  return all;
}

std::vector<LoggedStatement> ChangesIn(const std::vector<LoggedStatement>& log) {
  std::vector<LoggedStatement> changes;
  std::copy_if(log.begin(), log.end(), std::back_inserter(changes),
               [](const LoggedStatement& statement) { return !ReadsOnly(statement); });
  return changes;
}

}  // namespace pandora_ha
