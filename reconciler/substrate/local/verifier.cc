#include "reconciler/substrate/local/verifier.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "reconciler/base/clock.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

using Json = nlohmann::json;

InitialiseCommand VerifyCommand(const std::string& program, const VerifyOrder& order) {
  const Json json = {{"id", order.id},
                     {"directory", order.directory},
                     {"schema", order.schema},
                     {"node", order.node.text},
                     {"primary", order.primary.text},
                     {"nodeLogin", ToJson(order.node_login)},
                     {"primaryLogin", ToJson(order.primary_login)}};
  return JobCommand(program, "verify", order.directory, json.dump());
}

Result<VerifyOrder> ParseVerifyOrder(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    const auto word = [&json](const char* key) { return json.at(key).get<std::string>(); };
    return VerifyOrder{word("id"),
                       word("directory"),
                       word("schema"),
                       NodeName(word("node")),
                       NodeName(word("primary")),
                       JobLoginFrom(json.at("nodeLogin")),
                       JobLoginFrom(json.at("primaryLogin"))};
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kInvalid, std::string("the order is not understood: ") + thrown.what()};
  }
}

Status WriteVerifyAccount(const std::string& directory, const VerifyAccount& account,
                          Json details) {
  details["id"] = account.id;
  details["at"] = FormatWallTime(SystemClock().Now().wall);
  details["rows"] = account.rows;
  details["differs"] = account.differs;
  details["settled"] = account.settled;
  return WritePrivateFile(directory + kVerifyAccount,
                          details.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Result<VerifyAccount> ReadVerifyAccount(const std::string& directory) {
  std::ifstream file(directory + kVerifyAccount);
  const Json json = Json::parse(file, nullptr, false);
  // People read it, and may have written into it: a supervisor must not end by that.
  try {
    return VerifyAccount{json.at("id").get<std::string>(), json.at("rows").get<std::int64_t>(),
                         json.at("differs").get<std::string>(), json.at("settled").get<bool>()};
  } catch (const Json::exception&) {
    return Error{ErrorCode::kNotFound, "there is no account of a comparison in " + directory};
  }
}

}  // namespace pandora_ha
