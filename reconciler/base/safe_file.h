// Small files in a directory that others may write to: no symbolic link is followed, no
// half-written content is ever seen, and a crash leaves at most a temporary file that the next
// write replaces.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"

namespace pandora_ha {

// A path in its two parts. "conf/x" and "/a/b/x" alike; without a slash the directory is ".".
struct SplitPath {
  std::string directory, name;
};
SplitPath Split(const std::string& path);

// Who may do what with a file.
struct FileRights {
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0640;  // the nine permission bits

  bool operator==(const FileRights&) const = default;
};

struct SmallFile {
  std::string content;
  FileRights rights;
};

// Fails when the last part of the path is a symbolic link or no directory.
Result<Descriptor> OpenDirectory(const std::string& path);

// Nothing when there is no such file. Refuses (kRefused) what is not a regular file and what is
// larger than `largest` bytes.
Result<std::optional<SmallFile>> ReadSmallFile(const Descriptor& directory, const std::string& name,
                                               std::size_t largest = 64 * 1024);

enum class Durability { kSynced, kCacheOnly };  // kCacheOnly: lost by a power failure, never torn

// Asked last, before something that cannot be taken back; an error stops it.
using LastQuestion = std::function<Status()>;

// Replaces the file by rename of ".NAME.tmp". The owner and group are set as far as this process
// may. SyncDirectory() makes the rename itself durable.
Status ReplaceFile(const Descriptor& directory, const std::string& name, const std::string& content,
                   const FileRights& rights, Durability durability,
                   const LastQuestion& before_rename = {});
// What a new file gets when ReplaceFile() is asked for `wanted`: an ordinary user cannot give files
// to others, nor to a group that is not his.
Result<FileRights> AttainableRights(const Descriptor& directory, const std::string& name,
                                    const FileRights& wanted);
Status SyncDirectory(const Descriptor& directory);

// Removes what a crash of ReplaceFile left.
void RemoveLeftover(const Descriptor& directory, const std::string& name);

// Keeps other processes out while it lives (flock on ".NAME.lock"). kConflict when the deadline
// passes. A process that has held it for longer than 5 s is frozen or waits for its disk for ever:
// it has lost the lock, at the deadline.
Result<Descriptor> LockFile(const Descriptor& directory, const std::string& name,
                            Deadline deadline);
// Asked between the writing of a temporary file and its rename, so that a process that was frozen
// and has lost its lock changes nothing when it thaws.
bool StillLocks(const Descriptor& directory, const std::string& name, const Descriptor& lock);

}  // namespace pandora_ha
