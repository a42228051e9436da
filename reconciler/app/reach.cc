#include "reconciler/app/reach.h"

#include <nlohmann/json.hpp>

#include "reconciler/api/client.h"
#include "reconciler/app/passwords.h"
#include "reconciler/app/text.h"

namespace pandora_ha {

Result<nlohmann::json> AskForPrimary(const AskOptions& options, const ClusterSpec& spec) {
  const ApiClient client(options.socket_path);
  PHA_ASSIGN_OR_RETURN(nlohmann::json status, client.Get("/api/v1/clusters/" + spec.name,
                                                         Deadline(SystemClock(), options.timeout)));
  if (TextOf(status, "primary").empty())
    return Error{ErrorCode::kNotFound, "The cluster has no primary at the moment."};
  return status;
}

Result<SessionOptions> SessionWith(const ClusterSpec& spec, const NodeName& node) {
  const DatabaseNodeSpec* declared = FindNode(spec, node);
  if (declared == nullptr)
    return Error{ErrorCode::kInvalid, "The document has no node " + node.text + "."};
  PHA_ASSIGN_OR_RETURN(const ResolvedCredentials passwords,
                       ResolvePasswords(spec.database.credentials));
  SessionOptions session;
  session.address = {declared->address, spec.database.port};
  session.user = spec.database.credentials.admin.user;
  session.password = passwords.admin;
  session.tls = spec.database.tls;
  return session;
}

int CodeOfWork(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return kExitRefused;
    case ErrorCode::kTimeout:
      return kExitTimeout;
    case ErrorCode::kInvalid:
      return kExitUsage;
    case ErrorCode::kNotFound:
    case ErrorCode::kUnreachable:
    case ErrorCode::kDenied:
    case ErrorCode::kRefused:
    case ErrorCode::kUnsupported:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return kExitError;
}

}  // namespace pandora_ha
