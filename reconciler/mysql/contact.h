// What a failed call says about the server.
#pragma once

#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"

namespace pandora_ha {

// How an error of a Session is to be reported. Error::number tells: the errno of a failed connect
// (below 1000), or the MySQL error number. An error that the server itself sent (any number not
// listed) proves that it lives, and counts as kDenied.
Contact ContactOf(const Error& error);

// The kind of failure behind a number, for errors made from the client library.
ErrorCode CodeOf(int number);

}  // namespace pandora_ha
