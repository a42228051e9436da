#include "reconciler/substrate/local/disk_writes.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <vector>

namespace pandora_ha {
namespace {

struct OpenFiles {
  std::set<dev_t> devices;
  std::int64_t written_ns = 0;  // last, into the kernel's memory at least
};

// Standard output and error are logs, and a file without a name is a temporary one: neither is what
// a commit waits for. The process's own count of bytes has both.
OpenFiles FilesOf(const std::string& process) {
  OpenFiles files;
  std::error_code failed;
  std::filesystem::directory_iterator entry(process + "/fd", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    struct stat file {};
    if (std::stoi(entry->path().filename().string()) <= 2) continue;
    if (stat(entry->path().c_str(), &file) != 0) continue;
    if (!S_ISREG(file.st_mode) || file.st_nlink == 0) continue;
    files.devices.insert(file.st_dev);
    files.written_ns =
        std::max(files.written_ns, file.st_mtim.tv_sec * 1'000'000'000L + file.st_mtim.tv_nsec);
  }
  return files;
}

// Requests, sectors and flushes; none where the kernel counts nothing.
std::string WrittenBy(dev_t device) {
  std::ifstream file("/sys/dev/block/" + std::to_string(major(device)) + ":" +
                     std::to_string(minor(device)) + "/stat");
  const std::vector<std::string> fields{std::istream_iterator<std::string>(file), {}};
  constexpr std::size_t kWrites = 4, kSectors = 6, kFlushes = 15;
  if (fields.size() <= kSectors) return "";
  return fields[kWrites] + "," + fields[kSectors] + "," +
         (fields.size() > kFlushes ? fields[kFlushes] : "") + " ";
}

}  // namespace

std::string DiskWrites(const std::string& pid_file) {
  long pid = 0;
  if (!(std::ifstream(pid_file) >> pid) || pid <= 0) return "";
  const OpenFiles files = FilesOf("/proc/" + std::to_string(pid));
  if (files.devices.empty()) return "";
  std::string all = std::to_string(files.written_ns) + " ";
  for (const dev_t device : files.devices) {
    const std::string written = WrittenBy(device);
    if (written.empty()) return "";
    all += written;
  }
  return all;
}

}  // namespace pandora_ha
