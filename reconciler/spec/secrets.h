// From where a password is to where it is used.
#pragma once

#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/spec.h"

namespace pandora_ha {

// Reads the password that `source` points at: the first line of a file, without its line end, or a
// variable of the daemon's environment. Read anew at every call, so that a changed file is noticed.
//
// Errors name the file or variable and the remedy, never anything of its content: kNotFound (no
// such file or variable), kDenied (we may not read it), kRefused (every user of the machine may
// read it), kInvalid (empty, more than 1024 bytes, or a NUL in it), kUnsupported (secretKeyRef: the
// Kubernetes substrate reads those).
Result<Secret> ResolveSecret(const SecretSource& source);

}  // namespace pandora_ha
