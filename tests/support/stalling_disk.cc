#include "tests/support/stalling_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

// As <linux/fs.h> says, which does not go together with <sys/mount.h>.
constexpr unsigned long kFreeze = _IOWR('X', 119, int), kThaw = _IOWR('X', 120, int);

Status Run(std::vector<std::string> words) {
  SpawnOptions command;
  command.argv = std::move(words);
  PHA_ASSIGN_OR_RETURN(const Finished done,
                       RunToEnd(command, Deadline(SystemClock(), Seconds(20))));
  if (done.exit_status == 0) return Ok();
  return Error{ErrorCode::kRefused, command.argv[0] + ": " + done.output};
}

}  // namespace

Result<std::unique_ptr<StallingDisk>> StallingDisk::Mount(const std::string& file,
                                                          const std::string& at) {
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return SystemError("no mounts of our own", errno);
  std::filesystem::create_directories(at);
  PHA_TRY(Run({"/usr/bin/truncate", "-s", "2G", file}));
  PHA_TRY(Run({"/usr/sbin/mkfs.ext4", "-q", "-F", file}));
  PHA_TRY(Run({"/usr/bin/mount", "-o", "loop", file, at}));
  auto disk = std::unique_ptr<StallingDisk>(new StallingDisk);
  disk->at_ = at;
  disk->root_ = Descriptor(open(at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return disk;
}

StallingDisk::~StallingDisk() {
  Thaw();
  if (limited_) (void)LimitWrites(0);  // the next device of this number would be slow
  root_ = Descriptor();
  umount2(at_.c_str(), MNT_DETACH);
}

Status StallingDisk::Freeze() {
  if (ioctl(root_.get(), kFreeze, 0) != 0) return SystemError("cannot freeze " + at_, errno);
  frozen_ = true;
  return Ok();
}

void StallingDisk::Thaw() {
  if (frozen_) ioctl(root_.get(), kThaw, 0);
  frozen_ = false;
}

Status StallingDisk::LimitWrites(std::uint64_t bytes_per_second) {
  struct stat file {};
  if (fstat(root_.get(), &file) != 0) return SystemError("cannot look at " + at_, errno);
  std::ofstream limit("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device");
  limit << major(file.st_dev) << ':' << minor(file.st_dev) << ' ' << bytes_per_second << std::flush;
  if (!limit) return Error{ErrorCode::kRefused, "writes to a disk cannot be limited here"};
  limited_ = true;
  return Ok();
}

}  // namespace pandora_ha
