// What a diverged node committed by itself, kept where no copy, rewind or purge of its server
// reaches it.
//
// An archive is a directory: the node's binary logs from the first one that holds a transaction
// which the primary lacks, byte for byte, and `manifest.json`, written last, which tells what they
// hold and their sums. A directory without a manifest is no archive.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/gtid.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct ArchiveOrder {
  std::string id;  // the archive's name; letters, digits, '.', '-'
  NodeName node;
  Flavor flavor = Flavor::kMariaDb;
  std::string index;   // the server's list of its binary logs; its paths are relative to it
  std::string folder;  // of the node's archives; made when it is missing
  std::string schema;  // of Pandora, where our own tables are
  GtidSet known;       // what the primary has
  GtidSet own;         // what the node has and the primary lacks: must be in the logs
};

struct ArchivedFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;  // lower-case hexadecimal

  bool operator==(const ArchivedFile&) const = default;
};

struct ArchiveManifest {
  std::string id;
  NodeName node;
  Flavor flavor = Flavor::kMariaDb;
  std::string schema;
  WallTime made_at{};
  GtidSet known, own;  // as ordered
  std::vector<ArchivedFile> files;
  std::map<std::string, RowCounts> tables;  // all of them
  Divergence divergence;

  bool operator==(const ArchiveManifest&) const = default;
};

// Copies, counts, flushes, reads all of it again from the disk, and only then writes the manifest.
// `progress` is told the bytes that are copied and all of them. kNotFound: the binary logs that
// hold the node's own transactions are gone; kUnsupported: they cannot be read (history.h). A
// failure leaves nothing behind. Making an archive that is there already gives its manifest.
Result<ArchiveManifest> MakeArchive(const ArchiveOrder& order,
                                    const std::function<void(std::int64_t, std::int64_t)>& progress,
                                    WallTime now);

// kNotFound: there is no archive. Does not look at the files.
Result<ArchiveManifest> ReadManifest(const std::string& archive);
// The names of a folder's archives, the newest first.
std::vector<std::string> ArchivesIn(const std::string& folder);
// Deletes those that are older than kArchiveAge and have kArchivesKept newer ones, and gives their
// names. Pandora's own maintenance has deleted such rows long since.
inline constexpr std::size_t kArchivesKept = 10;
inline constexpr Seconds kArchiveAge{90 * 86400};
std::vector<std::string> RemoveOldArchives(const std::string& folder, WallTime now);
// Every file is there and has its sum. kInvalid names the first that does not.
Status VerifyArchive(const std::string& archive);

}  // namespace pandora_ha
