// Asks a running manager over its Unix socket.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"

namespace pandora_ha {

class ApiClient {
 public:
  explicit ApiClient(std::string socket_path) : path_(std::move(socket_path)) {}

  // The document at `target`. One connection per question. Errors are sentences for a person:
  // kUnreachable (nobody listens), kDenied (another user's socket), kTimeout, kInvalid, kNotFound,
  // kConflict, kInternal.
  Result<nlohmann::json> Get(const std::string& target, Deadline deadline) const;
  // The same for what is sent there. After kTimeout it may have been taken all the same.
  Result<nlohmann::json> Post(const std::string& target, const nlohmann::json& body,
                              Deadline deadline) const;

 private:
  Result<nlohmann::json> Ask(const std::string& request, const Deadline& deadline) const;

  std::string path_;
};

}  // namespace pandora_ha
