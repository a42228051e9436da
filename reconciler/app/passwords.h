// The passwords that a document points to.
#pragma once

#include "reconciler/base/result.h"
#include "reconciler/model/spec.h"
#include "reconciler/port/database.h"

namespace pandora_ha {

// The error begins with the path of the account below spec.database.credentials, which `where`,
// when there is one, is set to.
Result<ResolvedCredentials> ResolvePasswords(const Credentials& credentials,
                                             std::string* where = nullptr);

}  // namespace pandora_ha
