#include "reconciler/substrate/local/data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "reconciler/base/descriptor.h"
#include "reconciler/base/log.h"
#include "reconciler/base/system_error.h"
#include "reconciler/substrate/local/copier.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

constexpr char kData[] = "/data", kNew[] = "/data.new", kOld[] = "/data.old";
constexpr char kGone[] = "data.gone-";

Status Move(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return Ok();
  return SystemError("cannot rename " + from + " to " + to, errno);
}

void RemoveInBackground(std::vector<std::string> paths) {
  if (paths.empty()) return;
  try {
    std::thread([paths = std::move(paths)] {
      std::error_code ignored;
      for (const std::string& path : paths) fs::remove_all(path, ignored);
    }).detach();
  } catch (const std::system_error&) {
    Log(LogLevel::kWarning, "Old data is left for the next supervisor to delete.");
  }
}

std::string CopyIn(const std::string& data) {
  std::string id;
  std::getline(std::ifstream(data + kCopyMark), id);
  return id;
}

}  // namespace

void SyncDirectory(const std::string& directory) {
  const Descriptor fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.open()) fsync(fd.get());
}

bool DataDirectory::exists() const {
  return fs::exists(directory_ + kData);
}

bool DataDirectory::old_exists() const {
  return fs::exists(directory_ + kOld);
}

std::string DataDirectory::copy_id() const {
  return CopyIn(directory_ + kData);
}

Status DataDirectory::Recover() {
  if (exists()) return Ok();
  if (!CopyIn(directory_ + kNew).empty()) {
    PHA_TRY(Move(directory_ + kNew, directory_ + kData));
  } else if (old_exists()) {
    PHA_TRY(Move(directory_ + kOld, directory_ + kData));
  }
  SyncDirectory(directory_);
  return Ok();
}

Status DataDirectory::BeginNew() {
  PHA_TRY(DiscardNew());
  const std::string made = directory_ + kNew;
  if (mkdir(made.c_str(), 0700) == 0) return Ok();
  return SystemError("cannot make " + made, errno);
}

Status DataDirectory::PutInPlace(const std::string& copy_id, bool set_aside) {
  const std::string data = directory_ + kData, made = directory_ + kNew;
  if (!copy_id.empty() && CopyIn(made) != copy_id)
    return Error{ErrorCode::kIo, "the copy in " + made + " is not marked as whole"};
  std::string before, gone;  // where what is there goes, and whether that is only to be deleted
  if (exists() && !set_aside && old_exists()) {
    PHA_ASSIGN_OR_RETURN(gone, Rename(kData));
    before = gone;
  } else if (exists()) {
    before = directory_ + (set_aside ? "/data.aside-" + copy_id : kOld);
    PHA_TRY(Move(data, before));
  }
  if (const Status moved = Move(made, data); !moved.ok()) {
    if (!before.empty()) PHA_TRY(Move(before, data));
    return moved;
  }
  if (!gone.empty()) RemoveInBackground({gone});
  SyncDirectory(directory_);
  return Ok();
}

Status DataDirectory::DiscardNew() {
  return Discard(kNew);
}

Status DataDirectory::DiscardOld() {
  return Discard(kOld);
}

void DataDirectory::DeleteLeftovers() {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    if (entry.path().filename().string().starts_with(kGone)) paths.push_back(entry.path().string());
  }
  RemoveInBackground(std::move(paths));
}

// Gone at once for everybody else; gives the name under which it waits to be deleted.
Result<std::string> DataDirectory::Rename(const std::string& name) {
  const std::string gone =
      directory_ + "/" + kGone + std::to_string(clock_.Now().mono.time_since_epoch().count());
  PHA_TRY(Move(directory_ + name, gone));
  return gone;
}

Status DataDirectory::Discard(const std::string& name) {
  if (!fs::exists(directory_ + name)) return Ok();
  PHA_ASSIGN_OR_RETURN(std::string gone, Rename(name));
  RemoveInBackground({std::move(gone)});
  return Ok();
}

}  // namespace pandora_ha
