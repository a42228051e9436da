#include "reconciler/substrate/local/supervisor_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pandora_ha {
namespace {

// A socket's path is limited to 107 bytes, a directory's is not: go through a descriptor of it.
struct DirectoryAddress {
  Descriptor directory;
  sockaddr_un address{};

  explicit DirectoryAddress(const std::string& path)
      : directory(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    address.sun_family = AF_UNIX;
    const std::string name =
        "/proc/self/fd/" + std::to_string(directory.get()) + "/supervisor.sock";
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

}  // namespace

Result<Descriptor> ListenAsSupervisor(const std::string& directory) {
  const DirectoryAddress at(directory);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  unlink((directory + "/supervisor.sock").c_str());
  if (!socket.open() || bind(socket.get(), at.get(), sizeof at.address) != 0 ||
      listen(socket.get(), 64) != 0) {
    return SystemError("cannot listen on " + directory + "/supervisor.sock", errno);
  }
  return socket;
}

Result<Descriptor> ConnectToSupervisor(const std::string& directory) {
  const DirectoryAddress at(directory);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.open() || connect(socket.get(), at.get(), sizeof at.address) != 0) {
    return Error{ErrorCode::kNotFound, "no supervisor answers in " + directory, errno};
  }
  if (!PeerIsUs(socket.get())) {
    return Error{ErrorCode::kDenied, "the supervisor in " + directory + " belongs to another user"};
  }
  return socket;
}

bool PeerIsUs(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

}  // namespace pandora_ha
