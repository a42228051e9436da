#include "reconciler/substrate/files/file_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reconciler/base/safe_file.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

constexpr char kMemory[] = "memory.json";
constexpr off_t kRotateAt = 4 << 20;

Error Failed(const std::string& what, const std::string& path) {
  return {ErrorCode::kIo, what + " " + path + ": " + std::strerror(errno) + ".", errno};
}

void ReadLines(const std::string& path, std::vector<Event>* events) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded()) continue;
    if (auto event = EventFromJson(json); event.ok()) events->push_back(*std::move(event));
  }
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::Open(const std::string& directory) {
  // What is in its way is told by the second one.
  mkdir(std::filesystem::path(directory).parent_path().c_str(), 0700);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Failed("Cannot make the state directory", directory);
  }
  PHA_ASSIGN_OR_RETURN(const Descriptor opened, OpenDirectory(directory));
  RemoveLeftover(opened, kMemory);
  return std::unique_ptr<FileStore>(new FileStore(directory));
}

Result<std::optional<Memory>> FileStore::ReadMemory() {
  PHA_ASSIGN_OR_RETURN(const Descriptor opened, OpenDirectory(directory_));
  PHA_ASSIGN_OR_RETURN(const auto file, ReadSmallFile(opened, kMemory, 16 << 20));
  if (!file) return std::optional<Memory>();
  const auto json = nlohmann::json::parse(file->content, nullptr, false);
  auto memory = json.is_discarded() ? Result<Memory>(Error{ErrorCode::kInvalid, "it is not JSON"})
                                    : MemoryFromJson(json);
  if (!memory.ok()) {
    return Error{ErrorCode::kInvalid,
                 directory_ + "/" + kMemory + " cannot be read (" + memory.error().message +
                     "). It holds the epoch of this cluster; restore it, or, when you are "
                     "sure which node is the primary, move it away and start again."};
  }
  return std::optional<Memory>(*std::move(memory));
}

Status FileStore::WriteMemory(const Memory& memory) {
  PHA_ASSIGN_OR_RETURN(const Descriptor opened, OpenDirectory(directory_));
  PHA_TRY(ReplaceFile(opened, kMemory, PrintJson(ToJson(memory), 1) + "\n",
                      FileRights{geteuid(), getegid(), 0600}, Durability::kSynced));
  return SyncDirectory(opened);
}

Status FileStore::AppendEvent(const Event& event) {
  const std::string path = directory_ + "/history.jsonl";
  const Descriptor file(
      open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat found {};
  if (!file.open() || fstat(file.get(), &found) != 0) return Failed("Cannot open", path);
  std::string line = PrintJson(ToJson(event)) + "\n";
  // Half a line that a full disk or a power cut left must not take this one with it.
  char last = '\n';
  if (found.st_size > 0 && pread(file.get(), &last, 1, found.st_size - 1) != 1) {
    return Failed("Cannot read", path);
  }
  if (last != '\n') line.insert(line.begin(), '\n');
  if (write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return Failed("Cannot write all of an event to", path);
  }
  if (found.st_size > kRotateAt &&
      rename(path.c_str(), (directory_ + "/history.1.jsonl").c_str()) != 0) {
    return Failed("Cannot rotate", path);
  }
  return Ok();
}

Result<std::vector<Event>> FileStore::ReadEvents(std::size_t most) {
  std::vector<Event> events;
  ReadLines(directory_ + "/history.1.jsonl", &events);
  ReadLines(directory_ + "/history.jsonl", &events);
  if (events.size() > most)
    events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(most));
  return events;
}

}  // namespace pandora_ha
