#include "reconciler/mysql/manager_lock.h"

#include <cstdint>
#include <cstdio>

#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kLongestName = 64;

// FNV-1a: the same number in every build, because two managers must come to one name.
std::string NumberOf(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  char number[17];
  std::snprintf(number, sizeof number, "%016llx", static_cast<unsigned long long>(hash));
  return number;
}

}  // namespace

std::string ManagerLockName(const std::string& cluster) {
  std::string name = "pandora_ha:" + cluster;
  if (name.size() <= kLongestName) return name;
  return name.substr(0, kLongestName - 17) + "-" + NumberOf(cluster);
}

std::string AskManagerLock(const std::string& name) {
  return "SELECT IS_USED_LOCK(" + QuoteLiteral(name) + ") AS holder, CONNECTION_ID() AS me";
}

std::string AskWhoIs(std::uint64_t connection) {
  return "SELECT CONCAT(USER,'@',HOST) AS who FROM information_schema.PROCESSLIST WHERE ID=" +
         std::to_string(connection);
}

Result<ManagerLockSeen> ReadManagerLock(const Rows& rows) {
  if (rows.empty() || !RowReader(rows, 0).Has("holder")) {
    return Error{ErrorCode::kInternal, "the server did not tell who holds the manager's lock"};
  }
  const RowReader row(rows, 0);
  ManagerLockSeen seen;
  const auto holder = row.Number("holder");
  seen.holder = ManagerLockSeen::Holder::kNobody;
  if (!holder) return seen;
  seen.holder =
      holder == row.Number("me") ? ManagerLockSeen::Holder::kOurs : ManagerLockSeen::Holder::kOther;
  seen.connection = static_cast<std::uint64_t>(*holder);
  return seen;
}

std::string TakeManagerLock(const std::string& name) {
  const std::string quoted = QuoteLiteral(name);
  return "DO IF(COALESCE(IS_USED_LOCK(" + quoted + "),0)=CONNECTION_ID(), 1, GET_LOCK(" + quoted +
         ", 0))";
}

std::string KillManagerLockHolder(const std::string& name) {
  return "SET @pandora_ha_kill=NULLIF(IS_USED_LOCK(" + QuoteLiteral(name) +
         "), CONNECTION_ID()); KILL @pandora_ha_kill";
}

std::string HoldsManagerLock(const std::string& name, std::uint64_t connection) {
  return "COALESCE(IS_USED_LOCK(" + QuoteLiteral(name) + "),0)=" + std::to_string(connection);
}

std::string ReleaseManagerLock(const std::string& name) {
  return "DO RELEASE_LOCK(" + QuoteLiteral(name) + ")";
}

}  // namespace pandora_ha
