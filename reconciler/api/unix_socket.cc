#include "reconciler/api/unix_socket.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pandora_ha {
namespace {

Error Failed(ErrorCode code, const std::string& what, const std::string& path) {
  const int number = errno;
  return {code, what + " " + path + ": " + std::strerror(number) + ".", number};
}

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalid,
                 "The path of the socket must have 1 to " +
                     std::to_string(sizeof address.sun_path - 1) + " bytes: " + path,
                 0};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

unsigned long InodeOf(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? static_cast<unsigned long>(info.st_ino) : 0;
}

// Removes what a dead process left behind, and nothing else.
Status MakeRoom(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return Failed(ErrorCode::kIo, "Cannot look at", path);
    const std::string folder = path.substr(0, path.rfind('/'));
    if (!folder.empty() && folder != path) mkdir(folder.c_str(), 0755);  // bind() tells a failure
    return Ok();
  }
  if (!S_ISSOCK(info.st_mode))
    return Error{ErrorCode::kConflict, path + " exists and is not a socket; remove it.", 0};
  const auto somebody = ConnectUnix(path);
  if (somebody.ok()) {
    close(*somebody);
    return Error{ErrorCode::kConflict, "Another process already listens on " + path + ".", 0};
  }
  if (somebody.error().number != ECONNREFUSED) return somebody.error();
  if (unlink(path.c_str()) != 0) return Failed(ErrorCode::kIo, "Cannot remove the stale", path);
  return Ok();
}

}  // namespace

UnixListener::UnixListener(std::string path, int descriptor, unsigned long inode)
    : path_(std::move(path)), descriptor_(descriptor), inode_(inode) {}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : path_(std::exchange(other.path_, "")),
      descriptor_(std::exchange(other.descriptor_, -1)),
      inode_(other.inode_) {}

UnixListener::~UnixListener() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!path_.empty() && InodeOf(path_) == inode_) unlink(path_.c_str());
}

int UnixListener::Take() {
  return std::exchange(descriptor_, -1);
}

Result<UnixListener> UnixListener::Listen(const std::string& path) {
  PHA_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  PHA_TRY(MakeRoom(path));
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return Failed(ErrorCode::kIo, "Cannot make a socket for", path);
  // The mode of the socket is that of the file bind() makes: there is no moment at which others
  // may connect.
  const bool listens =
      fchmod(descriptor, 0600) == 0 &&
      bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      listen(descriptor, 64) == 0;
  if (!listens) {
    const Error error = Failed(ErrorCode::kIo, "Cannot listen on", path);
    close(descriptor);
    return error;
  }
  return UnixListener(path, descriptor, InodeOf(path));
}

std::optional<uid_t> TrustedPeer(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!known || (peer.uid != 0 && peer.uid != geteuid())) return std::nullopt;
  return peer.uid;
}

std::string UserName(uid_t user) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> texts;
  if (getpwuid_r(user, &entry, texts.data(), texts.size(), &found) == 0 && found != nullptr)
    return entry.pw_name;
  return "uid " + std::to_string(user);
}

Result<int> ConnectUnix(const std::string& path) {
  PHA_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return Failed(ErrorCode::kIo, "Cannot make a socket for", path);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return descriptor;
  const ErrorCode code =
      errno == EACCES || errno == EPERM ? ErrorCode::kDenied : ErrorCode::kUnreachable;
  const Error error = Failed(code, "Cannot connect to", path);
  close(descriptor);
  return error;
}

}  // namespace pandora_ha
