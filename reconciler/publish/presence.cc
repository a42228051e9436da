#include "reconciler/publish/presence.h"

#include <poll.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "reconciler/base/safe_file.h"

namespace pandora_ha {
namespace {

constexpr int kPollMilliseconds = 1;

}  // namespace

Result<Descriptor> ShowPresence(const std::string& directory) {
  PHA_ASSIGN_OR_RETURN(Descriptor opened, OpenDirectory(directory));
  if (flock(opened.get(), LOCK_SH | LOCK_NB) == 0) return opened;
  return Error{ErrorCode::kIo,
               "cannot lock the directory " + directory + ": " + std::strerror(errno), errno};
}

Status AwaitAbsence(const Descriptor& directory, Deadline deadline) {
  while (flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Ok();  // no such locks here: nobody says
    if (deadline.passed()) {
      return Error{ErrorCode::kTimeout,
                   "an endpoint that follows the sidecar has clients that are still in a statement "
                   "or a transaction; a withdrawal cuts them."};
    }
    poll(nullptr, 0, kPollMilliseconds);
  }
  flock(directory.get(), LOCK_UN);
  return Ok();
}

}  // namespace pandora_ha
