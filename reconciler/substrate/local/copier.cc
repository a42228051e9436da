#include "reconciler/substrate/local/copier.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "reconciler/base/descriptor.h"
#include "reconciler/substrate/local/copy_engines.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr double kSpace = 1.2;  // of what is copied; the redo log and what is written meanwhile

// The copy is on the disk before it says that it is whole.
Status MarkWhole(const CopyWork& work) {
  const Descriptor directory(open(work.made().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || syncfs(directory.get()) != 0)
    return SystemError("cannot flush " + work.made(), errno);
  PHA_TRY(WritePrivateFile(work.made() + kCopyMark, work.job().id + "\n"));
  if (syncfs(directory.get()) != 0) return SystemError("cannot flush " + work.made(), errno);
  return Ok();
}

Status Fill(CopyWork& work) {
  switch (work.job().method) {
    case ResyncMethod::kClone:
      return CopyByClone(work);
    case ResyncMethod::kBackupStream:
      return CopyByBackup(work);
    case ResyncMethod::kDump:
      return CopyByDump(work);
    case ResyncMethod::kScript:
      return CopyByScript(work);
    case ResyncMethod::kAuto:
      break;
  }
  return Error{ErrorCode::kInvalid, "the job does not say how to copy"};
}

Status Copy(CopyWork& work) {
  work.Tell();
  PHA_TRY(CheckCopy(work.job()));
  PHA_TRY(Fill(work));
  return MarkWhole(work);
}

std::string InWords(const CopyJob& job) {
  const bool maria_db = job.program.flavor == Flavor::kMariaDb;
  switch (job.method) {
    case ResyncMethod::kClone:
      return "by CLONE";
    case ResyncMethod::kBackupStream:
      return maria_db ? "by a backup with mariadb-backup" : "by a backup with xtrabackup";
    case ResyncMethod::kDump:
      return maria_db ? "by a dump with mariadb-dump" : "by a dump with mysqldump";
    case ResyncMethod::kScript:
      return "by " + job.script;
    case ResyncMethod::kAuto:
      break;
  }
  return "";
}

constexpr std::array<std::pair<const char*, ResyncMethod>, 4> kMethods = {
    {{"clone", ResyncMethod::kClone},
     {"backupStream", ResyncMethod::kBackupStream},
     {"dump", ResyncMethod::kDump},
     {"script", ResyncMethod::kScript}}};

CopyJob JobFrom(const Json& json) {
  CopyJob job;
  const auto text = [&json](const char* key) { return json.at(key).get<std::string>(); };
  job.id = text("id");
  for (const auto& [word, method] : kMethods) {
    if (text("method") == word) job.method = method;
  }
  job.how = text("how");
  job.script = text("script");
  job.program.flavor = text("flavor") == "mysql" ? Flavor::kMySql : Flavor::kMariaDb;
  job.program.binary = text("binary");
  job.program.root = text("root");
  job.program.share = text("share");
  job.directory = text("directory");
  job.source_directory = text("sourceDirectory");
  job.source = {text("sourceHost"), json.at("sourcePort").get<std::uint16_t>()};
  job.target = {text("targetHost"), json.at("targetPort").get<std::uint16_t>()};
  job.schema = text("schema");
  auto history = GtidSet::Parse(job.program.flavor, text("sourceHistory"));
  if (!history.ok()) throw std::invalid_argument(history.error().message);
  job.source_history = *std::move(history);
  job.admin_user = text("user");
  job.admin_password = Secret(text("password"));
  return job;
}

Json JsonOf(const CopyJob& job) {
  const auto method = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const auto& one) { return one.second == job.method; });
  return {{"id", job.id},
          {"method", method == kMethods.end() ? "" : method->first},
          {"how", job.how},
          {"script", job.script},
          {"flavor", job.program.flavor == Flavor::kMySql ? "mysql" : "mariadb"},
          {"binary", job.program.binary},
          {"root", job.program.root},
          {"share", job.program.share},
          {"directory", job.directory},
          {"sourceDirectory", job.source_directory},
          {"sourceHost", job.source.host},
          {"sourcePort", job.source.port},
          {"targetHost", job.target.host},
          {"targetPort", job.target.port},
          {"schema", job.schema},
          {"sourceHistory", job.source_history.ToString()},
          {"user", job.admin_user},
          {"password", job.admin_password.Reveal()}};
}

}  // namespace

void ChooseMethod(CopyJob* job) {
  const bool automatic = job->method == ResyncMethod::kAuto;
  std::string why;
  if (automatic) {
    const bool maria_db = job->program.flavor == Flavor::kMariaDb;
    job->method = maria_db ? ResyncMethod::kBackupStream : ResyncMethod::kClone;
    why = ", the fastest way here";
    const Status tools = CheckTools(*job, job->method);
    if (!tools.ok() && CheckTools(*job, ResyncMethod::kDump).ok()) {
      job->method = ResyncMethod::kDump;
      why = ", because " + tools.error().message;
    }
  }
  job->how = InWords(*job) + why;
}

Status CheckCopy(const CopyJob& job) {
  const std::string from = job.source_directory + "/data";
  if (!fs::exists(from)) return Error{ErrorCode::kNotFound, "there is nothing to copy in " + from};
  PHA_TRY(CheckTools(job, job.method));
  struct statvfs space {};
  if (statvfs(job.directory.c_str(), &space) != 0)
    return SystemError("cannot ask for the free space of " + job.directory, errno);
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize);
  const double needed = kSpace * static_cast<double>(SizeOfData(from));
  if (free >= needed) return Ok();
  const auto megabytes = [](double b) { return std::to_string(static_cast<long>(b / 1e6)); };
  return Error{ErrorCode::kRefused, "a copy needs " + megabytes(needed) + " MB in " +
                                        job.directory + " and " + megabytes(free) +
                                        " MB are free; make room there"};
}

InitialiseCommand CopyCommand(const std::string& copier, const CopyJob& job) {
  InitialiseCommand command;
  command.argv = {copier, "copy", "--datadir=" + job.directory + "/data.new"};
  command.before = JsonOf(job).dump();
  return command;
}

int RunCopier() {
  umask(0077);
  signal(SIGPIPE, SIG_IGN);  // a tool that ends early is told by its exit code
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  try {
    const CopyJob job = JobFrom(Json::parse(text));
    CopyWork work(job);
    const Status done = Copy(work);
    if (done.ok()) return 0;
    work.Tell(done.error().message);
    std::cerr << done.error().message << std::endl;
  } catch (const std::exception& thrown) {
    std::cerr << "the job is not understood: " << thrown.what() << std::endl;
  }
  return 1;
}

CopyProgress ReadCopyProgress(const std::string& directory) {
  std::ifstream file(directory + kCopyProgressFile);
  const auto json = Json::parse(file, nullptr, false);
  CopyProgress progress;
  if (!json.is_object()) return progress;
  progress.bytes = json.value("bytes", std::int64_t{0});
  progress.expected = json.value("expected", std::int64_t{0});
  progress.how = json.value("how", "");
  progress.why = json.value("why", "");
  return progress;
}

void ForgetCopyProgress(const std::string& directory) {
  unlink((directory + kCopyProgressFile).c_str());
}

}  // namespace pandora_ha
