// The Unix socket of a node's directory.
#pragma once

#include <string>

#include "reconciler/base/result.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

// DIRECTORY/supervisor.sock, mode 0600 by the caller's umask. REQUIRES: the directory's lock is
// held.
Result<Descriptor> ListenAsSupervisor(const std::string& directory);
// kNotFound when nobody listens there.
Result<Descriptor> ConnectToSupervisor(const std::string& directory);
// The other side runs as our user or as root.
bool PeerIsUs(int socket);

}  // namespace pandora_ha
