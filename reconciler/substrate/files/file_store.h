// Memory and history as files of one state directory: the store of the local and hosts substrates.
//
//   memory.json     the memory; replaced as a whole, durable before anything is done
//   history.jsonl   one event a line, the newest last; at 4 MiB it becomes history.1.jsonl, which
//                   replaces the one before
#pragma once

#include <memory>
#include <string>

#include "reconciler/port/store.h"

namespace pandora_ha {

class FileStore final : public Store {
 public:
  // Makes the directory, and the one above it where several clusters have theirs, when they are
  // missing (0700).
  static Result<std::unique_ptr<FileStore>> Open(const std::string& directory);

  Result<std::optional<Memory>> ReadMemory() override;
  Status WriteMemory(const Memory& memory) override;
  // Written, not synced: a power failure may cost the last events, never the memory.
  Status AppendEvent(const Event& event) override;
  // A damaged line (cut by a power failure) is left out.
  Result<std::vector<Event>> ReadEvents(std::size_t most) override;

 private:
  explicit FileStore(std::string directory) : directory_(std::move(directory)) {}
  const std::string directory_;
};

}  // namespace pandora_ha
