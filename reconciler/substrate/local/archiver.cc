#include "reconciler/substrate/local/archiver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/base/log.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kProgressFile[] = "/archive.progress";
constexpr char kFolder[] = "/archive";
constexpr Duration kTellEvery = Milliseconds(500);
constexpr Seconds kEndOfAStray{5};

struct Progress {
  std::int64_t bytes = 0, expected = 0;
  std::string why;
};

void Tell(const std::string& directory, const Progress& progress) {
  const Json json = {
      {"bytes", progress.bytes}, {"expected", progress.expected}, {"why", progress.why}};
  [[maybe_unused]] const Status told = WritePrivateFile(
      directory + kProgressFile, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Progress ReadProgress(const std::string& directory) {
  std::ifstream file(directory + kProgressFile);
  const auto json = Json::parse(file, nullptr, false);
  Progress progress;
  if (!json.is_object()) return progress;
  progress.bytes = json.value("bytes", std::int64_t{0});
  progress.expected = json.value("expected", std::int64_t{0});
  progress.why = json.value("why", "");
  return progress;
}

GtidSet GtidsFrom(Flavor flavor, const Json& text) {
  auto set = GtidSet::Parse(flavor, text.get<std::string>());
  if (!set.ok()) throw std::invalid_argument(set.error().message);
  return *std::move(set);
}

ArchiveOrder OrderFrom(const Json& json) {
  ArchiveOrder order;
  order.id = json.at("id").get<std::string>();
  order.node = NodeName(json.at("node").get<std::string>());
  order.flavor = json.at("flavor").get<std::string>() == ToString(Flavor::kMySql)
                     ? Flavor::kMySql
                     : Flavor::kMariaDb;
  order.index = json.at("index").get<std::string>();
  order.folder = json.at("folder").get<std::string>();
  order.schema = json.at("schema").get<std::string>();
  order.known = GtidsFrom(order.flavor, json.at("known"));
  order.own = GtidsFrom(order.flavor, json.at("own"));
  return order;
}

}  // namespace

InitialiseCommand ArchiveCommand(const std::string& program, const std::string& directory,
                                 const ArchiveOrder& order) {
  InitialiseCommand command;
  command.argv = {program, "archive", "--archive-of=" + directory};
  command.before = Json{
      {"id", order.id},
      {"node", order.node.text},
      {"flavor", ToString(order.flavor)},
      {"index", order.index},
      {"folder", order.folder},
      {"schema", order.schema},
      {"known", order.known.ToString()},
      {"own", order.own.ToString()},
      {"directory",
       directory}}.dump();
  return command;
}

int RunArchiver() {
  umask(0077);
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  try {
    const Json json = Json::parse(text);
    const std::string directory = json.at("directory").get<std::string>();
    Progress progress;
    TimePoint told_at{};
    const auto made = MakeArchive(
        OrderFrom(json),
        [&](std::int64_t bytes, std::int64_t expected) {
          const TimePoint now = SystemClock().Now().mono;
          if (now - told_at < kTellEvery) return;
          told_at = now;
          progress = {bytes, expected, ""};
          Tell(directory, progress);
        },
        SystemClock().Now().wall);
    if (made.ok()) return 0;
    progress.why = made.error().message;
    Tell(directory, progress);
    std::cerr << progress.why << std::endl;
  } catch (const std::exception& thrown) {
    std::cerr << "the order is not understood: " << thrown.what() << std::endl;
  }
  return 1;
}

ArchiveRun::ArchiveRun(std::string directory, const Clock& clock, std::function<void()> changed)
    : directory_(std::move(directory)), clock_(clock), changed_(std::move(changed)) {}

Status ArchiveRun::Adopt() {
  PHA_TRY(EndProcesses("--archive-of=" + directory_, Deadline(clock_, kEndOfAStray)));
  std::optional<ArchiveManifest> newest;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(directory_ + kFolder, failed)) {
    auto manifest = ReadManifest(entry.path().string());
    if (manifest.ok() && manifest->id == entry.path().filename().string() &&
        (!newest || manifest->made_at > newest->made_at))
      newest = *std::move(manifest);
  }
  if (newest) Read(newest->id);
  return Ok();
}

Status ArchiveRun::Start(const std::string& id, const InitialiseCommand& command) {
  const bool same = seen_ && seen_->id == id;
  if (same && (busy() || seen_->phase == ArchiveSeen::Phase::kDone)) return Ok();
  if (busy()) return Error{ErrorCode::kConflict, "another archive is being made"};
  unlink((directory_ + kProgressFile).c_str());
  PHA_ASSIGN_OR_RETURN(const Descriptor input, InputFile(command));
  const Descriptor log(
      open((directory_ + "/archive.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  SpawnOptions options;
  options.argv = command.argv;
  options.input = input.get();
  options.output = log.get();
  options.new_session = true;
  PHA_ASSIGN_OR_RETURN(pid_, Spawn(options));
  process_ = OpenChild(pid_);
  seen_ = ArchiveSeen{};
  seen_->id = id;
  if (!process_.open()) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    seen_->phase = ArchiveSeen::Phase::kFailed;
    seen_->why = "the archiver's process cannot be watched";
  }
  changed_();
  return Ok();
}

void ArchiveRun::Stop() {
  if (!busy()) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_.Close();
}

void ArchiveRun::OnProcessEnd() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return;
  process_.Close();
  const std::string id = seen_->id;
  Read(id);
  if (seen_->phase != ArchiveSeen::Phase::kDone) {
    const std::string why = ReadProgress(directory_).why;
    seen_->phase = ArchiveSeen::Phase::kFailed;
    seen_->why = why.empty() ? "the archiver ended (" + DescribeExit(status) + "); see " +
                                   directory_ + "/archive.log"
                             : why;
    Log(LogLevel::kError, "What a node committed by itself could not be archived.",
        {{"why", seen_->why}});
  }
  changed_();
}

// The manifest alone says that an archive is there.
void ArchiveRun::Read(const std::string& id) {
  ArchiveSeen seen;
  seen.id = id;
  seen.place = directory_ + kFolder + "/" + id;
  const auto manifest = ReadManifest(seen.place);
  if (manifest.ok()) {
    seen.phase = ArchiveSeen::Phase::kDone;
    for (const ArchivedFile& file : manifest->files)
      seen.bytes += static_cast<std::int64_t>(file.bytes);
    seen.expected = seen.bytes;
    seen.divergence = manifest->divergence;
  }
  seen_ = std::move(seen);
}

void ArchiveRun::LookAtProgress() {
  if (!busy()) return;
  const Progress now = ReadProgress(directory_);
  if (now.bytes == seen_->bytes && now.expected == seen_->expected) return;
  seen_->bytes = now.bytes;
  seen_->expected = now.expected;
  changed_();
}

}  // namespace pandora_ha
