#include "reconciler/substrate/local/rewinder.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "reconciler/base/clock.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

using Json = nlohmann::json;

InitialiseCommand RewindCommand(const std::string& program, const RewindOrder& order) {
  const Json json = {{"id", order.id},
                     {"directory", order.directory},
                     {"archive", order.archive},
                     {"login", ToJson(order.login)}};
  return JobCommand(program, "rewind", order.directory, json.dump());
}

Result<RewindOrder> ParseRewindOrder(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    return RewindOrder{json.at("id").get<std::string>(), json.at("directory").get<std::string>(),
                       json.at("archive").get<std::string>(), JobLoginFrom(json.at("login"))};
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kInvalid, std::string("the order is not understood: ") + thrown.what()};
  }
}

Status WriteRewindAccount(const std::string& archive, const RewindAccount& account) {
  const Json json = {{"id", account.id},
                     {"at", FormatWallTime(SystemClock().Now().wall)},
                     {"transactions", account.transactions},
                     {"rows", account.rows}};
  return WritePrivateFile(archive + kRewindAccount, json.dump(2) + "\n");
}

Result<RewindAccount> ReadRewindAccount(const std::string& archive) {
  std::ifstream file(archive + kRewindAccount);
  const Json json = Json::parse(file, nullptr, false);
  // People read it, and may have written into it: a supervisor must not end by that.
  try {
    return RewindAccount{json.at("id").get<std::string>(),
                         json.at("transactions").get<std::int64_t>(),
                         json.at("rows").get<std::int64_t>()};
  } catch (const Json::exception&) {
    return Error{ErrorCode::kNotFound, "there is no account of a rewind in " + archive};
  }
}

}  // namespace pandora_ha
