#include "reconciler/base/safe_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

constexpr mode_t kPermissionBits = 0777;
constexpr int kLockPollMilliseconds = 2;
constexpr Seconds kStuckAfter{5};

Error FileError(const std::string& what, const std::string& name) {
  const int number = errno;
  return {ErrorCode::kIo, "Cannot " + what + " " + name + ": " + std::strerror(number) + ".",
          number};
}

std::string TemporaryName(const std::string& name) {
  return "." + name + ".tmp";
}

std::string LockName(const std::string& name) {
  return "." + name + ".lock";
}

Duration HeldFor(const struct stat& lock) {
  const WallTime since{std::chrono::duration_cast<WallTime::duration>(
      Seconds(lock.st_mtim.tv_sec) + std::chrono::nanoseconds(lock.st_mtim.tv_nsec))};
  return SystemClock().Now().wall - since;
}

Status WriteAll(int file, const std::string& content, const std::string& name) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t wrote = write(file, content.data() + done, content.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError("write", name);
    done += static_cast<std::size_t>(wrote);
  }
  return Ok();
}

// O_EXCL follows no link, so a link planted under the temporary name only makes this fail.
Result<Descriptor> CreateTemporary(const Descriptor& directory, const std::string& name,
                                   const FileRights& rights) {
  const std::string temporary = TemporaryName(name);
  RemoveLeftover(directory, name);
  Descriptor file(openat(directory.get(), temporary.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.open()) return FileError("create", temporary);
  // Owner before mode: chown clears bits. A process that may not give files away keeps its own.
  if (fchown(file.get(), rights.owner, rights.group) != 0 &&
      fchown(file.get(), static_cast<uid_t>(-1), rights.group) != 0 && errno != EPERM) {
    return FileError("set the owner of", temporary);
  }
  if (fchmod(file.get(), rights.mode) != 0) return FileError("set the mode of", temporary);
  return file;
}

Status FillTemporary(int file, const std::string& content, const std::string& name,
                     Durability durability) {
  PHA_TRY(WriteAll(file, content, name));
  if (durability == Durability::kSynced && fsync(file) != 0) return FileError("sync", name);
  return Ok();
}

}  // namespace

SplitPath Split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

Result<Descriptor> OpenDirectory(const std::string& path) {
  Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory.open()) {
    Error error = FileError("open the directory", path);
    if (error.number == ENOTDIR || error.number == ELOOP) {
      error.code = ErrorCode::kRefused;
      error.message = path + " is a symbolic link or no directory; name the real directory.";
    }
    return error;
  }
  return directory;
}

Result<std::optional<SmallFile>> ReadSmallFile(const Descriptor& directory, const std::string& name,
                                               std::size_t largest) {
  // O_NONBLOCK: a FIFO planted under this name must not make us wait.
  Descriptor file(
      openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open() && errno == ENOENT) return std::optional<SmallFile>();
  if (!file.open() && errno == ELOOP) {
    return Error{ErrorCode::kRefused, name + " is a symbolic link; remove it."};
  }
  if (!file.open()) return FileError("open", name);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FileError("look at", name);
  if (!S_ISREG(facts.st_mode) || facts.st_size > static_cast<off_t>(largest)) {
    return Error{ErrorCode::kRefused, name + " is no regular file of a plausible size; remove it."};
  }
  SmallFile out;
  out.rights = {facts.st_uid, facts.st_gid, facts.st_mode & kPermissionBits};
  char chunk[4096];
  ssize_t got = 0;
  while ((got = read(file.get(), chunk, sizeof chunk)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", name);
    out.content.append(chunk, static_cast<std::size_t>(got));
    if (out.content.size() > largest)
      return Error{ErrorCode::kRefused, name + " grows while it is read."};
  }
  return std::optional(std::move(out));
}

Status ReplaceFile(const Descriptor& directory, const std::string& name, const std::string& content,
                   const FileRights& rights, Durability durability,
                   const LastQuestion& before_rename) {
  const std::string temporary = TemporaryName(name);
  PHA_ASSIGN_OR_RETURN(const auto file, CreateTemporary(directory, name, rights));
  Status filled = FillTemporary(file.get(), content, temporary, durability);
  if (filled.ok() && before_rename) filled = before_rename();
  if (filled.ok() &&
      renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    filled = FileError("put the new content in place of", name);
  }
  if (!filled.ok()) RemoveLeftover(directory, name);
  return filled;
}

Result<FileRights> AttainableRights(const Descriptor& directory, const std::string& name,
                                    const FileRights& wanted) {
  if (geteuid() == 0) return wanted;
  PHA_ASSIGN_OR_RETURN(const auto file, CreateTemporary(directory, name, wanted));
  RemoveLeftover(directory, name);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return FileError("look at", name);
  return FileRights{facts.st_uid, facts.st_gid, facts.st_mode & kPermissionBits};
}

Status SyncDirectory(const Descriptor& directory) {
  if (fsync(directory.get()) != 0) return FileError("sync", "the directory");
  return Ok();
}

void RemoveLeftover(const Descriptor& directory, const std::string& name) {
  unlinkat(directory.get(), TemporaryName(name).c_str(), 0);
}

bool StillLocks(const Descriptor& directory, const std::string& name, const Descriptor& lock) {
  struct stat named {
  }, held{};
  return fstatat(directory.get(), LockName(name).c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstat(lock.get(), &held) == 0 && named.st_ino == held.st_ino &&
         named.st_dev == held.st_dev;
}

Result<Descriptor> LockFile(const Descriptor& directory, const std::string& name,
                            Deadline deadline) {
  const std::string lock = LockName(name);
  while (true) {
    Descriptor file(openat(directory.get(), lock.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR));
    if (!file.open()) return FileError("open", lock);
    const bool locked = flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK && errno != EINTR) return FileError("lock", lock);
    if (locked && StillLocks(directory, name, file)) {  // else it was broken just now
      futimens(file.get(), nullptr);                    // since when it is held
      return file;
    }
    // Not sooner: who has taken it just now writes the date a moment later.
    struct stat facts {};
    const bool stuck = !locked && deadline.passed() && fstat(file.get(), &facts) == 0 &&
                       HeldFor(facts) > kStuckAfter && StillLocks(directory, name, file);
    if (stuck) {
      Log(LogLevel::kWarning, "A process has held a lock for too long and has lost it.",
          {{"lock", lock}, {"held", FormatDuration(HeldFor(facts))}});
      unlinkat(directory.get(), lock.c_str(), 0);
    } else if (deadline.passed()) {
      return Error{ErrorCode::kConflict,
                   "Another process holds " + lock + "; only one manager may write " + name + "."};
    }
    poll(nullptr, 0, kLockPollMilliseconds);
  }
}

}  // namespace pandora_ha
