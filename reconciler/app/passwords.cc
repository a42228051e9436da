#include "reconciler/app/passwords.h"

#include "reconciler/spec/secrets.h"

namespace pandora_ha {
namespace {

Result<Secret> Resolve(const std::string& path, const SecretSource& source, std::string* where) {
  if (where != nullptr) *where = path;
  auto secret = ResolveSecret(source);
  if (secret.ok()) return secret;
  return Error{secret.error().code, "The password of " + path + ": " + secret.error().message,
               secret.error().number};
}

}  // namespace

Result<ResolvedCredentials> ResolvePasswords(const Credentials& credentials, std::string* where) {
  const std::string all = "spec.database.credentials.";
  ResolvedCredentials passwords;
  PHA_ASSIGN_OR_RETURN(passwords.admin,
                       Resolve(all + "admin", credentials.admin.password_from, where));
  PHA_ASSIGN_OR_RETURN(passwords.replication,
                       Resolve(all + "replication", credentials.replication.password_from, where));
  PHA_ASSIGN_OR_RETURN(passwords.application,
                       Resolve(all + "application", credentials.application.password_from, where));
  return passwords;
}

}  // namespace pandora_ha
