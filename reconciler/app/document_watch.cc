#include "reconciler/app/document_watch.h"

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "reconciler/spec/load_spec.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

bool IsDocument(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string extension = path.extension().string();
  return !name.starts_with('.') && (extension == ".yaml" || extension == ".yml");
}

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

DocumentFile Read(const std::string& path) {
  auto text = ReadDocument(path);
  if (!text.ok()) return {path, "", text.error().message};
  return {path, *std::move(text), ""};
}

}  // namespace

DocumentWatch::DocumentWatch(std::string config)
    : config_(std::move(config)), is_directory_(IsDirectory(config_)) {}

DocumentWatch::Stamp DocumentWatch::StampOf(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec,
          found.st_dev,  found.st_ino,         true};
}

// False when the directory cannot be read, or holds nothing, as one does whose file system is not
// mounted: that says nothing about the documents.
bool DocumentWatch::List(Stamps* stamps) {
  if (!is_directory_) {
    (*stamps)[config_] = StampOf(config_);
    return true;
  }
  std::error_code failed;
  for (auto entry = fs::directory_iterator(config_, failed);
       !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    if (IsDocument(entry->path())) (*stamps)[entry->path().string()] = StampOf(entry->path());
  }
  problem_ = failed            ? config_ + " cannot be read: " + failed.message()
             : stamps->empty() ? config_ + " holds no document (*.yaml, *.yml)"
                               : "";
  return problem_.empty();
}

bool DocumentWatch::Look(bool at_once) {
  Stamps now;
  if (!List(&now)) return false;
  const Stamps before = std::exchange(last_, now);
  const auto in = [](const Stamps& stamps, const std::string& path) {
    const auto found = stamps.find(path);
    return found == stamps.end() ? std::optional<Stamp>() : found->second;
  };
  bool changed = at_once;
  for (const auto& [path, stamp] : now) {
    const bool settled = in(before, path) == stamp;
    if (!at_once && (!settled || in(taken_, path) == stamp)) continue;
    taken_[path] = stamp;
    files_[path] = Read(path);
    changed = true;
  }
  changed =
      std::erase_if(files_,
                    [&](const auto& file) {
                      return !now.contains(file.first) && (at_once || !before.contains(file.first));
                    }) > 0 ||
      changed;
  std::erase_if(taken_, [&](const auto& taken) { return !files_.contains(taken.first); });
  return changed;
}

}  // namespace pandora_ha
