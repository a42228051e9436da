// Orders of the job that compares a node's rows with the primary's, and its account. The work
// itself is mysql/verify.h's, wired in app/verify_rows.h.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "reconciler/base/result.h"
#include "reconciler/substrate/local/job.h"

namespace pandora_ha {

struct VerifyOrder {
  std::string id;
  std::string directory;  // of the node
  std::string schema;     // Pandora's
  NodeName node, primary;
  JobLogin node_login, primary_login;
};

InitialiseCommand VerifyCommand(const std::string& program, const VerifyOrder& order);
Result<VerifyOrder> ParseVerifyOrder(std::string_view text);

// The account of the last comparison lies in the node's directory, for people too.
constexpr char kVerifyAccount[] = "/verified.json";
struct VerifyAccount {
  std::string id;  // of the order
  std::int64_t rows = 0;
  std::string differs;  // see VerificationSeen
  bool settled = true;
};
// `details`: an object that the account is written into.
Status WriteVerifyAccount(const std::string& directory, const VerifyAccount& account,
                          nlohmann::json details);
// kNotFound: nothing was compared by a job.
Result<VerifyAccount> ReadVerifyAccount(const std::string& directory);

}  // namespace pandora_ha
