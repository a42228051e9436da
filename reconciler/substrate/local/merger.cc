#include "reconciler/substrate/local/merger.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {

using Json = nlohmann::json;

InitialiseCommand MergeCommand(const std::string& program, const MergeOrder& order) {
  const Json json = {{"id", order.id},
                     {"directory", order.directory},
                     {"archive", order.archive},
                     {"primary", order.primary.text},
                     {"login", ToJson(order.login)},
                     {"epoch", order.epoch.number}};
  return JobCommand(program, "merge", order.directory, json.dump());
}

Result<MergeOrder> ParseMergeOrder(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    MergeOrder order;
    order.id = json.at("id").get<std::string>();
    order.directory = json.at("directory").get<std::string>();
    order.archive = json.at("archive").get<std::string>();
    order.primary = NodeName(json.at("primary").get<std::string>());
    order.login = JobLoginFrom(json.at("login"));
    order.epoch.number = json.at("epoch").get<std::uint64_t>();
    return order;
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kInvalid, std::string("the order is not understood: ") + thrown.what()};
  }
}

Result<MergeAccount> ReadMergeAccount(const std::string& archive) {
  std::ifstream file(archive + kMergeAccount);
  const Json json = Json::parse(file, nullptr, false);
  // People read it, and may have written into it: a supervisor must not end by that.
  try {
    auto rows = MergedRowsFromJson(json.at("rows"));
    if (!rows.ok()) return rows.error();
    return MergeAccount{json.at("id").get<std::string>(),
                        json.at("transactions").get<std::int64_t>(), *rows};
  } catch (const Json::exception&) {
    return Error{ErrorCode::kNotFound, "there is no account of a merge in " + archive};
  }
}

}  // namespace pandora_ha
