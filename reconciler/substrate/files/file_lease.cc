#include "reconciler/substrate/files/file_lease.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>

namespace pandora_ha {

Result<std::unique_ptr<FileLease>> FileLease::Take(const std::string& directory) {
  const std::string path = directory + "/manager.lock";
  Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock.open()) {
    return Error{ErrorCode::kIo, "Cannot open " + path + ": " + std::strerror(errno) + ".", errno};
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const auto size = pread(lock.get(), holder, sizeof holder - 1, 0);
    return Error{ErrorCode::kConflict,
                 "Another pandora-ha" +
                     (size > 0 ? " (process " + std::string(holder) + ")" : std::string()) +
                     " uses the state directory " + directory +
                     "; stop it, or give this one its own --state."};
  }
  const std::string self = std::to_string(getpid());
  if (ftruncate(lock.get(), 0) != 0 || pwrite(lock.get(), self.data(), self.size(), 0) < 0) {
    return Error{ErrorCode::kIo, "Cannot write " + path + ": " + std::strerror(errno) + ".", errno};
  }
  return std::unique_ptr<FileLease>(new FileLease(std::move(lock), "process " + self));
}

}  // namespace pandora_ha
