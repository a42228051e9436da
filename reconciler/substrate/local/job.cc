#include "reconciler/substrate/local/job.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "reconciler/base/log.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

using Json = nlohmann::json;

constexpr Duration kTellEvery = Milliseconds(500);
constexpr Seconds kEndOfAStray{5};

std::string ProgressPath(const std::string& directory, const std::string& name) {
  return directory + "/" + name + ".progress";
}

void ReadProgress(const std::string& path, JobSeen* seen) {
  std::ifstream file(path);
  const auto json = Json::parse(file, nullptr, false);
  try {
    seen->done = json.at("done").get<std::int64_t>();
    seen->all = json.at("all").get<std::int64_t>();
    seen->why = json.value("why", "");
    seen->not_now = json.value("notNow", false);
    seen->never = json.value("never", false);
  } catch (const Json::exception&) {  // not there yet, or not ours
  }
}

}  // namespace

InitialiseCommand JobCommand(const std::string& program, const std::string& name,
                             const std::string& directory, const std::string& order) {
  InitialiseCommand command;
  command.argv = {program, name + "-job", "--" + name + "-of=" + directory};
  command.before = order;
  return command;
}

std::string ArchiveOfOrder(const std::string& id) {
  return id.substr(0, id.find('@'));
}

Json ToJson(const JobLogin& login) {
  return {{"host", login.address.host},
          {"port", login.address.port},
          {"user", login.user},
          {"password", login.password.Reveal()},
          {"tls",
           {{"enabled", login.tls.enabled},
            {"ca", login.tls.ca_file},
            {"certificate", login.tls.certificate_file},
            {"key", login.tls.key_file}}}};
}

JobLogin JobLoginFrom(const Json& json) {
  const Json& tls = json.at("tls");
  return {{json.at("host").get<std::string>(), json.at("port").get<std::uint16_t>()},
          json.at("user").get<std::string>(),
          Secret(json.at("password").get<std::string>()),
          {tls.at("enabled").get<bool>(), tls.at("ca").get<std::string>(),
           tls.at("certificate").get<std::string>(), tls.at("key").get<std::string>()}};
}

void JobProgress::Tell(std::int64_t done, std::int64_t all) {
  done_ = done;
  all_ = all;
  const TimePoint now = SystemClock().Now().mono;
  if (now - told_at_ < kTellEvery) return;
  told_at_ = now;
  Write(nullptr);
}

void JobProgress::Fail(const Error& error) {
  Write(&error);
}

void JobProgress::Write(const Error* error) const {
  Json json = {{"done", done_}, {"all", all_}};
  if (error != nullptr) {
    json["why"] = error->message;
    json["notNow"] = error->code == ErrorCode::kConflict;
    json["never"] = error->code == ErrorCode::kUnsupported;
  }
  [[maybe_unused]] const Status told =
      WritePrivateFile(path_, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

JobRun::JobRun(std::string name, std::string directory, const Clock& clock, TakeResult take_result,
               std::function<void()> changed)
    : name_(std::move(name)),
      directory_(std::move(directory)),
      clock_(clock),
      take_result_(std::move(take_result)),
      changed_(std::move(changed)) {}

Status JobRun::Adopt(const std::string& newest) {
  PHA_TRY(EndProcesses("--" + name_ + "-of=" + directory_, Deadline(clock_, kEndOfAStray)));
  if (!newest.empty()) Take(newest);
  return Ok();
}

Status JobRun::Start(const std::string& id, const InitialiseCommand& command) {
  const bool same = seen_ && seen_->id == id;
  if (same && (busy() || seen_->phase == JobSeen::Phase::kDone)) return Ok();
  if (busy())
    return Error{ErrorCode::kConflict, "another " + name_ + " job runs beside this server"};
  unlink(ProgressPath(directory_, name_).c_str());
  PHA_ASSIGN_OR_RETURN(const Descriptor input, InputFile(command));
  const Descriptor log(open((directory_ + "/" + name_ + ".log").c_str(),
                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  SpawnOptions options;
  options.argv = command.argv;
  options.input = input.get();
  options.output = log.get();
  options.new_session = true;
  PHA_ASSIGN_OR_RETURN(pid_, Spawn(options));
  process_ = OpenChild(pid_);
  seen_ = JobSeen{};
  seen_->id = id;
  if (!process_.open()) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    seen_->phase = JobSeen::Phase::kFailed;
    seen_->why = "the process cannot be watched";
  }
  changed_();
  return Ok();
}

void JobRun::Stop() {
  if (!busy()) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_.Close();
}

void JobRun::End(const std::string& id) {
  if (!busy() || seen_->id != id) return;
  Stop();
  Take(id);
  if (seen_->phase != JobSeen::Phase::kDone) {
    ReadProgress(ProgressPath(directory_, name_), &*seen_);
    seen_->phase = JobSeen::Phase::kFailed;
    seen_->not_now = true;
    seen_->why = "a manager ended it";
  }
  changed_();
}

void JobRun::OnProcessEnd() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return;
  process_.Close();
  const std::string id = seen_->id;
  Take(id);
  if (seen_->phase != JobSeen::Phase::kDone) {
    ReadProgress(ProgressPath(directory_, name_), &*seen_);
    seen_->phase = JobSeen::Phase::kFailed;
    if (seen_->why.empty())
      seen_->why = "its process ended (" + DescribeExit(status) + "); see " + directory_ + "/" +
                   name_ + ".log";
    Log(LogLevel::kError, "A job beside a database server failed.",
        {{"job", name_}, {"why", seen_->why}});
  }
  changed_();
}

void JobRun::Take(const std::string& id) {
  seen_ = JobSeen{};
  seen_->id = id;
  const auto all = take_result_(id);
  if (!all) return;
  seen_->phase = JobSeen::Phase::kDone;
  seen_->done = seen_->all = *all;
}

void JobRun::LookAtProgress() {
  if (!busy()) return;
  JobSeen now = *seen_;
  ReadProgress(ProgressPath(directory_, name_), &now);
  if (now.done == seen_->done && now.all == seen_->all) return;
  seen_->done = now.done;
  seen_->all = now.all;
  changed_();
}

}  // namespace pandora_ha
