#include "reconciler/binlog/archive.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/base/descriptor.h"
#include "reconciler/base/safe_file.h"
#include "reconciler/base/system_error.h"
#include "reconciler/binlog/account.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kManifest[] = "manifest.json";
constexpr char kUnfinished[] = ".new";
constexpr int kFormat = 1;
constexpr std::size_t kAtOnce = 1 << 20;
constexpr std::size_t kLargestManifest = 16 << 20;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(const char* bytes, std::size_t count) { EVP_DigestUpdate(context_.get(), bytes, count); }
  std::string Hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &length);
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < length; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

struct Source {
  std::string path;
  std::uint64_t bytes = 0;
};

// Oldest first, from the newest file before which the primary knows everything.
Result<std::vector<Source>> LogsToKeep(const ArchiveOrder& order) {
  std::ifstream index(order.index);
  if (!index) return Error{ErrorCode::kNotFound, "cannot read " + order.index};
  const fs::path folder = fs::path(order.index).parent_path();
  std::vector<std::string> listed;
  for (std::string line; std::getline(index, line);) {
    if (!line.empty()) listed.push_back((folder / line).lexically_normal().string());
  }
  std::vector<Source> kept;
  for (auto path = listed.rbegin(); path != listed.rend(); ++path) {
    std::error_code failed;
    kept.push_back({*path, fs::file_size(*path, failed)});
    if (failed) return Error{ErrorCode::kNotFound, "cannot find the binary log " + *path};
    PHA_ASSIGN_OR_RETURN(const GtidSet before, HistoryBefore(order.flavor, *path));
    if (!order.known.Contains(before)) continue;
    std::reverse(kept.begin(), kept.end());
    return kept;
  }
  return Error{ErrorCode::kNotFound,
               "the binary logs in " + folder.string() +
                   " begin after the first transaction that the primary lacks: older ones have "
                   "been purged"};
}

Status CheckRoom(const std::string& folder, std::uint64_t bytes) {
  struct statvfs space {};
  if (statvfs(folder.c_str(), &space) != 0)
    return SystemError("cannot ask for the free space of " + folder, errno);
  const std::uint64_t free = space.f_bavail * space.f_frsize;
  if (free > bytes + bytes / 10) return Ok();
  return Error{ErrorCode::kRefused, "the archive needs " + std::to_string(bytes >> 20) +
                                        " MiB in " + folder + " and " + std::to_string(free >> 20) +
                                        " MiB are free; make room there"};
}

Error CannotRead(const std::string& path) {
  return SystemError("cannot read " + path, errno);
}

// The first `bytes` of a file that a server may still append to.
Result<ArchivedFile> CopyLog(const Source& from, const std::string& folder,
                             const std::function<void(std::size_t)>& copied) {
  ArchivedFile file{fs::path(from.path).filename().string(), from.bytes, ""};
  const Descriptor in(open(from.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.open()) return CannotRead(from.path);
  const std::string to = folder + "/" + file.name;
  const Descriptor out(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out.open()) return SystemError("cannot make " + to, errno);
  Sha256 sum;
  std::vector<char> buffer(kAtOnce);
  for (std::uint64_t left = from.bytes; left > 0;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const ssize_t got = read(in.get(), buffer.data(), wanted);
    if (got < 0) return CannotRead(from.path);
    if (got == 0) return Error{ErrorCode::kIo, from.path + " has become shorter"};
    const auto count = static_cast<std::size_t>(got);
    if (write(out.get(), buffer.data(), count) != got)
      return SystemError("cannot write " + to, errno);
    sum.Add(buffer.data(), count);
    copied(count);
    left -= count;
  }
  if (fsync(out.get()) != 0) return SystemError("cannot flush " + to, errno);
  // So that it is read from the disk, and not from memory, when it is verified.
  posix_fadvise(out.get(), 0, 0, POSIX_FADV_DONTNEED);
  file.sha256 = sum.Hex();
  return file;
}

Status VerifyFile(const std::string& archive, const ArchivedFile& file) {
  const std::string path = archive + "/" + file.name;
  const Descriptor in(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in.open()) return Error{ErrorCode::kInvalid, path + " of the archive is missing"};
  Sha256 sum;
  std::vector<char> buffer(kAtOnce);
  std::uint64_t bytes = 0;
  for (ssize_t got = 0; (got = read(in.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0) return CannotRead(path);
    sum.Add(buffer.data(), static_cast<std::size_t>(got));
    bytes += static_cast<std::uint64_t>(got);
  }
  if (bytes != file.bytes || sum.Hex() != file.sha256)
    return Error{ErrorCode::kInvalid, path + " of the archive is not what was archived"};
  return Ok();
}

Json ToJson(const std::map<std::string, RowCounts>& tables) {
  Json all = Json::object();
  for (const auto& [table, rows] : tables) {
    all[table] = {
        {"inserted", rows.inserted}, {"updated", rows.updated}, {"deleted", rows.deleted}};
  }
  return all;
}

std::string Print(const ArchiveManifest& manifest) {
  Json files = Json::array();
  for (const ArchivedFile& file : manifest.files)
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  return PrintJson({{"format", kFormat},
                    {"id", manifest.id},
                    {"node", manifest.node.text},
                    {"flavor", ToString(manifest.flavor)},
                    {"schema", manifest.schema},
                    {"madeAt", FormatWallTime(manifest.made_at)},
                    {"known", manifest.known.ToString()},
                    {"own", manifest.own.ToString()},
                    {"files", std::move(files)},
                    {"tables", ToJson(manifest.tables)},
                    {"divergence", pandora_ha::ToJson(manifest.divergence)}},
                   2) +
         "\n";
}

GtidSet GtidsFrom(Flavor flavor, const Json& text) {
  auto set = GtidSet::Parse(flavor, text.get<std::string>());
  if (!set.ok()) throw std::invalid_argument(set.error().message);
  return *std::move(set);
}

bool IsPlainName(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == std::string::npos;
}

ArchiveManifest ManifestFrom(const Json& json) {
  ArchiveManifest manifest;
  if (json.at("format").get<int>() != kFormat)
    throw std::invalid_argument("it has the format of another version");
  manifest.id = json.at("id").get<std::string>();
  manifest.node = NodeName(json.at("node").get<std::string>());
  manifest.flavor = json.at("flavor").get<std::string>() == ToString(Flavor::kMySql)
                        ? Flavor::kMySql
                        : Flavor::kMariaDb;
  manifest.schema = json.at("schema").get<std::string>();
  if (!ParseWallTime(json.at("madeAt").get<std::string>(), &manifest.made_at))
    throw std::invalid_argument("madeAt is no moment");
  manifest.known = GtidsFrom(manifest.flavor, json.at("known"));
  manifest.own = GtidsFrom(manifest.flavor, json.at("own")).Subtract(manifest.known);
  for (const Json& file : json.at("files")) {
    manifest.files.push_back({file.at("name").get<std::string>(),
                              file.at("bytes").get<std::uint64_t>(),
                              file.at("sha256").get<std::string>()});
    if (!IsPlainName(manifest.files.back().name))
      throw std::invalid_argument("a file outside the archive");
  }
  for (const auto& [table, rows] : json.at("tables").items()) {
    manifest.tables[table] = {rows.at("inserted").get<std::uint64_t>(),
                              rows.at("updated").get<std::uint64_t>(),
                              rows.at("deleted").get<std::uint64_t>()};
  }
  auto divergence = DivergenceFromJson(json.at("divergence"));
  if (!divergence.ok()) throw std::invalid_argument(divergence.error().message);
  manifest.divergence = *std::move(divergence);
  return manifest;
}

Status Count(const ArchiveOrder& order, const std::vector<std::string>& logs,
             ArchiveManifest* manifest) {
  // MariaDB's texts name the last number of a writer only, and so stand for what `known` holds,
  // too.
  const GtidSet own = order.own.Subtract(order.known);
  Accountant accountant({order.known, own}, order.schema);
  HistoryReader reader(order.flavor, accountant);
  PHA_TRY(reader.ReadAll(logs));
  if (const GtidSet missing = own.Subtract(accountant.counted()); !missing.empty()) {
    return Error{ErrorCode::kNotFound, "the binary logs do not hold " + missing.ToString() +
                                           ", which the node says to have executed"};
  }
  manifest->tables = accountant.tables();
  manifest->divergence = accountant.Sum();
  return Ok();
}

Status SyncFolder(const std::string& path) {
  PHA_ASSIGN_OR_RETURN(const Descriptor folder, OpenDirectory(path));
  return SyncDirectory(folder);
}

Result<ArchiveManifest> MakeIn(const std::string& made, const ArchiveOrder& order,
                               const std::function<void(std::int64_t, std::int64_t)>& progress,
                               WallTime now) {
  PHA_ASSIGN_OR_RETURN(const std::vector<Source> logs, LogsToKeep(order));
  std::uint64_t all = 0, done = 0;
  std::vector<std::string> paths;
  for (const Source& log : logs) {
    all += log.bytes;
    paths.push_back(log.path);
  }
  ArchiveManifest manifest{order.id,    order.node, order.flavor, order.schema, now,
                           order.known, order.own,  {},           {},           {}};
  // What cannot be read is not copied first.
  PHA_TRY(Count(order, paths, &manifest));
  PHA_TRY(CheckRoom(order.folder, all));
  paths.clear();
  for (const Source& log : logs) {
    PHA_ASSIGN_OR_RETURN(ArchivedFile file, CopyLog(log, made, [&](std::size_t bytes) {
                           done += bytes;
                           progress(static_cast<std::int64_t>(done),
                                    static_cast<std::int64_t>(all));
                         }));
    paths.push_back(made + "/" + file.name);
    manifest.files.push_back(std::move(file));
  }
  for (const ArchivedFile& file : manifest.files) PHA_TRY(VerifyFile(made, file));
  PHA_TRY(Count(order, paths, &manifest));
  PHA_ASSIGN_OR_RETURN(const Descriptor folder, OpenDirectory(made));
  PHA_TRY(ReplaceFile(folder, kManifest, Print(manifest), {geteuid(), getegid(), 0600},
                      Durability::kSynced));
  PHA_TRY(SyncDirectory(folder));
  const std::string archive = order.folder + "/" + order.id;
  if (rename(made.c_str(), archive.c_str()) != 0)
    return SystemError("cannot rename " + made + " to " + archive, errno);
  PHA_TRY(SyncFolder(order.folder));
  return manifest;
}

// Half an archive only takes up space.
void RemoveUnfinished(const std::string& folder) {
  std::error_code failed;
  std::vector<fs::path> unfinished;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == kUnfinished) unfinished.push_back(entry.path());
  for (const fs::path& path : unfinished) fs::remove_all(path, failed);
}

}  // namespace

Result<ArchiveManifest> MakeArchive(const ArchiveOrder& order,
                                    const std::function<void(std::int64_t, std::int64_t)>& progress,
                                    WallTime now) {
  if (!IsPlainName(order.id)) return Error{ErrorCode::kInvalid, "no name for an archive"};
  const std::string archive = order.folder + "/" + order.id, made = archive + kUnfinished;
  if (auto there = ReadManifest(archive); there.ok()) {
    if (there->own == order.own.Subtract(order.known)) return there;
    return Error{ErrorCode::kConflict, archive + " holds other transactions"};
  }
  std::error_code failed;
  fs::create_directories(order.folder, failed);
  RemoveUnfinished(order.folder);
  if (mkdir(made.c_str(), 0700) != 0) return SystemError("cannot make " + made, errno);
  auto manifest = MakeIn(made, order, progress, now);
  if (!manifest.ok()) fs::remove_all(made, failed);
  return manifest;
}

std::vector<std::string> ArchivesIn(const std::string& folder) {
  std::vector<std::pair<WallTime, std::string>> dated;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    const auto manifest = ReadManifest(entry.path().string());
    if (manifest.ok() && manifest->id == name) dated.emplace_back(manifest->made_at, name);
  }
  std::sort(dated.rbegin(), dated.rend());
  std::vector<std::string> names;
  for (auto& [at, name] : dated) names.push_back(std::move(name));
  return names;
}

std::vector<std::string> RemoveOldArchives(const std::string& folder, WallTime now) {
  std::vector<std::string> names = ArchivesIn(folder), removed;
  names.erase(names.begin(),
              names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kArchivesKept)));
  for (const std::string& name : names) {
    const std::string archive = folder + "/" + name, going = archive + kUnfinished;
    const auto manifest = ReadManifest(archive);
    if (!manifest.ok() || now - manifest->made_at < kArchiveAge) continue;
    // Renamed, it is no archive any more, and what an interruption leaves goes with the next one.
    std::error_code failed;
    if (rename(archive.c_str(), going.c_str()) != 0) continue;
    fs::remove_all(going, failed);
    removed.push_back(name);
  }
  return removed;
}

Result<ArchiveManifest> ReadManifest(const std::string& archive) {
  const auto folder = OpenDirectory(archive);
  if (!folder.ok()) return Error{ErrorCode::kNotFound, "there is no archive " + archive};
  PHA_ASSIGN_OR_RETURN(const auto file, ReadSmallFile(*folder, kManifest, kLargestManifest));
  if (!file) return Error{ErrorCode::kNotFound, archive + " has no manifest, so it is no archive"};
  try {
    return ManifestFrom(Json::parse(file->content));
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kInvalid,
                 "the manifest of " + archive + " is not understood: " + thrown.what()};
  }
}

Status VerifyArchive(const std::string& archive) {
  PHA_ASSIGN_OR_RETURN(const ArchiveManifest manifest, ReadManifest(archive));
  for (const ArchivedFile& file : manifest.files) PHA_TRY(VerifyFile(archive, file));
  return Ok();
}

}  // namespace pandora_ha
