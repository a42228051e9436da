// A listening Unix socket that belongs to one process and one user.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "reconciler/base/result.h"

namespace pandora_ha {

class UnixListener {
 public:
  // See ApiServer::Start. The folder of `path` is made (0755) when it is missing.
  static Result<UnixListener> Listen(const std::string& path);
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;
  // Removes the path unless somebody has put another socket there.
  ~UnixListener();

  // The caller takes over the descriptor (once) and closes it.
  int Take();

 private:
  UnixListener(std::string path, int descriptor, unsigned long inode);
  std::string path_;
  int descriptor_;
  unsigned long inode_;
};

// The user at the other end, when it is our own or root; nobody else is trusted.
std::optional<uid_t> TrustedPeer(int descriptor);
// "root", or "uid 1000" when the system knows no name.
std::string UserName(uid_t user);

// A connected, non-blocking socket. kUnreachable when nobody listens, kDenied when we may not.
Result<int> ConnectUnix(const std::string& path);

}  // namespace pandora_ha
