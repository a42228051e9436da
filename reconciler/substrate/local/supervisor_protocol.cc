#include "reconciler/substrate/local/supervisor_protocol.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 12> kVerbs = {"start", "stop",      "kill",       "fence",
                                                     "quit",  "claim",     "discardOld", "archive",
                                                     "merge", "stopMerge", "rewind",     "verify"};
constexpr std::array<std::string_view, 3> kPhases = {"running", "ended", "neverStarted"};

template <std::size_t N>
int IndexOf(const std::array<std::string_view, N>& words, const std::string& word) {
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return static_cast<int>(i);
  }
  throw std::invalid_argument("unknown word '" + word + "'");
}

constexpr std::int64_t kLongestAllowance = 24 * 3600;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 2;  // room to count on

// A whole number from 0 to `most`: json's own conversions wrap and cut.
std::int64_t Whole(const Json& value, std::int64_t most) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
    throw std::invalid_argument("a number that cannot be");
  return value.get<std::int64_t>();
}

std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Json's exceptions end here.
template <class T, class F>
Result<T> Guarded(F parse) {
  try {
    return parse();
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInvalid,
                 std::string("not a line of the supervisor's protocol: ") + e.what()};
  }
}

constexpr std::array<std::string_view, 3> kCopyPhases = {"copying", "inPlace", "failed"};

CopySeen CopyFrom(const Json& json) {
  CopySeen copy;
  copy.id = json.at("id").get<std::string>();
  copy.phase =
      static_cast<CopySeen::Phase>(IndexOf(kCopyPhases, json.at("phase").get<std::string>()));
  copy.bytes = Whole(json.at("bytes"), kMost);
  copy.expected = Whole(json.at("expected"), kMost);
  copy.began = TimePoint(Duration(Whole(json.at("beganMicroseconds"), kMost)));
  copy.how = json.value("how", "");
  copy.why = json.at("why").get<std::string>();
  return copy;
}

Json CopyTo(const CopySeen& copy) {
  return {{"id", copy.id},
          {"phase", kCopyPhases[static_cast<std::size_t>(copy.phase)]},
          {"bytes", copy.bytes},
          {"expected", copy.expected},
          {"beganMicroseconds", copy.began.time_since_epoch().count()},
          {"how", copy.how},
          {"why", copy.why}};
}

constexpr std::array<std::string_view, 3> kJobPhases = {"working", "done", "failed"};

JobSeen JobFrom(const Json& json) {
  JobSeen job;
  job.id = json.at("id").get<std::string>();
  job.phase = static_cast<JobSeen::Phase>(IndexOf(kJobPhases, json.at("phase").get<std::string>()));
  // A supervisor of before says it in other words.
  job.done = Whole(json.at(json.contains("done") ? "done" : "bytes"), kMost);
  job.all = Whole(json.at(json.contains("all") ? "all" : "expected"), kMost);
  job.why = json.at("why").get<std::string>();
  job.not_now = json.value("notNow", false);
  job.never = json.value("never", false);
  return job;
}

Json JobTo(const JobSeen& job) {
  return {{"id", job.id},      {"phase", kJobPhases[static_cast<std::size_t>(job.phase)]},
          {"done", job.done},  {"all", job.all},
          {"why", job.why},    {"notNow", job.not_now},
          {"never", job.never}};
}

template <class T>
T Valid(Result<T> read) {
  if (!read.ok()) throw std::invalid_argument(read.error().message);
  return *std::move(read);
}

ArchiveSeen ArchiveFrom(const Json& json) {
  return {JobFrom(json), json.at("place").get<std::string>(),
          Valid(DivergenceFromJson(json.at("divergence")))};
}

Json ArchiveTo(const ArchiveSeen& archive) {
  Json json = JobTo(archive);
  json["place"] = archive.place;
  json["divergence"] = ToJson(archive.divergence);
  return json;
}

MergeSeen MergeFrom(const Json& json) {
  return {JobFrom(json), Valid(MergedRowsFromJson(json.at("rows")))};
}

Json MergeTo(const MergeSeen& merge) {
  Json json = JobTo(merge);
  json["rows"] = ToJson(merge.rows);
  return json;
}

VerificationSeen VerificationFrom(const Json& json) {
  return {JobFrom(json), json.at("differs").get<std::string>(), json.at("settled").get<bool>()};
}

Json VerificationTo(const VerificationSeen& verification) {
  Json json = JobTo(verification);
  json["differs"] = verification.differs;
  json["settled"] = verification.settled;
  return json;
}

bool IsJob(SupervisorVerb verb) {
  return verb == SupervisorVerb::kArchive || verb == SupervisorVerb::kMerge ||
         verb == SupervisorVerb::kRewind || verb == SupervisorVerb::kVerify;
}

InitialiseCommand CommandFrom(const Json& json) {
  InitialiseCommand command;
  command.argv = json.at("argv").get<std::vector<std::string>>();
  command.before = json.at("before").get<std::string>();
  command.files = json.at("files").get<std::vector<std::string>>();
  command.after = json.at("after").get<std::string>();
  if (command.argv.empty()) throw std::invalid_argument("an empty command");
  return command;
}

Json CommandTo(const InitialiseCommand& command) {
  return {{"argv", command.argv},
          {"before", command.before},
          {"files", command.files},
          {"after", command.after}};
}

SupervisorState StateFrom(const Json& json) {
  SupervisorState state;
  state.supervisor_pid = Whole(json.at("supervisorPid"), kMost);
  state.claimed = json.value("claimed", false);
  ProcessState& process = state.process;
  process.phase =
      static_cast<ProcessState::Phase>(IndexOf(kPhases, json.at("phase").get<std::string>()));
  process.pid = Whole(json.at("pid"), kMost);
  process.how_ended = json.at("howEnded").get<std::string>();
  process.ended_at = TimePoint(Duration(Whole(json.at("endedAtMicroseconds"), kMost)));
  process.restart_inhibited = json.at("restartInhibited").get<bool>();
  process.fenced = json.at("fenced").get<bool>();
  process.initialised = json.at("initialised").get<bool>();
  // What a supervisor of before does not say:
  process.starting = json.value("starting", false);
  process.old_copy = json.value("oldCopy", false);
  if (json.contains("copy")) process.copy = CopyFrom(json.at("copy"));
  if (json.contains("archive")) process.archive = ArchiveFrom(json.at("archive"));
  if (json.contains("merge")) process.merge = MergeFrom(json.at("merge"));
  if (json.contains("rewind")) process.rewind = JobFrom(json.at("rewind"));
  if (json.contains("verification"))
    process.verification = VerificationFrom(json.at("verification"));
  return state;
}

}  // namespace

std::string PrintRequest(const SupervisorRequest& request) {
  Json json = {{"id", request.id}, {"do", kVerbs[static_cast<std::size_t>(request.verb)]}};
  if (request.verb == SupervisorVerb::kStart) {
    json["unfence"] = request.unfence;
    json["serve"] = request.serve;
    json["serveAgain"] = request.serve_again;
    json["restartSeconds"] = request.restart_allowed.count();
    json["copy"] = request.copy_id;
    json["setAside"] = request.set_aside;
    json["initialise"] = CommandTo(request.initialise);
  } else if (IsJob(request.verb)) {
    json["job"] = request.job_id;
    json["command"] = CommandTo(request.job);
  } else if (request.verb == SupervisorVerb::kStopMerge) {
    json["job"] = request.job_id;
  }
  return Line(json);
}

Result<SupervisorRequest> ParseRequest(std::string_view line) {
  return Guarded<SupervisorRequest>([&] {
    const Json json = Json::parse(line);
    SupervisorRequest request;
    request.id = static_cast<std::uint64_t>(Whole(json.at("id"), kMost));
    request.verb = static_cast<SupervisorVerb>(IndexOf(kVerbs, json.at("do").get<std::string>()));
    if (IsJob(request.verb)) {
      request.job_id = json.at("job").get<std::string>();
      request.job = CommandFrom(json.at("command"));
    }
    if (request.verb == SupervisorVerb::kStopMerge)
      request.job_id = json.at("job").get<std::string>();
    if (request.verb != SupervisorVerb::kStart) return request;
    request.unfence = json.at("unfence").get<bool>();
    request.serve = json.at("serve").get<std::vector<std::string>>();
    request.serve_again = json.at("serveAgain").get<std::vector<std::string>>();
    request.restart_allowed = Seconds(Whole(json.at("restartSeconds"), kLongestAllowance));
    request.copy_id = json.value("copy", "");
    request.set_aside = json.value("setAside", false);
    request.initialise = CommandFrom(json.at("initialise"));
    if (request.serve.empty() || request.serve_again.empty())
      throw std::invalid_argument("an empty command");
    return request;
  });
}

std::string PrintState(const SupervisorState& state) {
  const ProcessState& process = state.process;
  Json json = {{"supervisorPid", state.supervisor_pid},
               {"claimed", state.claimed},
               {"phase", kPhases[static_cast<std::size_t>(process.phase)]},
               {"pid", process.pid},
               {"howEnded", process.how_ended},
               {"endedAtMicroseconds", process.ended_at.time_since_epoch().count()},
               {"restartInhibited", process.restart_inhibited},
               {"fenced", process.fenced},
               {"initialised", process.initialised},
               {"starting", process.starting},
               {"oldCopy", process.old_copy}};
  if (process.copy) json["copy"] = CopyTo(*process.copy);
  if (process.archive) json["archive"] = ArchiveTo(*process.archive);
  if (process.merge) json["merge"] = MergeTo(*process.merge);
  if (process.rewind) json["rewind"] = JobTo(*process.rewind);
  if (process.verification) json["verification"] = VerificationTo(*process.verification);
  return Line({{"state", std::move(json)}});
}

std::string PrintAnswer(std::uint64_t id, const Status& status) {
  if (status.ok()) return Line({{"id", id}, {"ok", true}});
  const Error& error = status.error();
  return Line({{"id", id},
               {"error",
                {{"code", static_cast<int>(error.code)},
                 {"message", error.message},
                 {"number", error.number}}}});
}

Result<SupervisorMessage> ParseMessage(std::string_view line) {
  return Guarded<SupervisorMessage>([&] {
    const Json json = Json::parse(line);
    SupervisorMessage message;
    if (json.contains("state")) message.state = StateFrom(json.at("state"));
    if (json.contains("id"))
      message.answer_to = static_cast<std::uint64_t>(Whole(json.at("id"), kMost));
    if (json.contains("error")) {
      const Json& error = json.at("error");
      const auto code = Whole(error.at("code"), static_cast<std::int64_t>(ErrorCode::kInternal));
      message.error =
          Error{static_cast<ErrorCode>(code), error.at("message").get<std::string>(),
                static_cast<int>(Whole(error.at("number"), std::numeric_limits<int>::max()))};
    }
    return message;
  });
}

std::optional<std::string> TakeLine(std::string* buffer) {
  const auto end = buffer->find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffer->substr(0, end);
  buffer->erase(0, end + 1);
  return line;
}

}  // namespace pandora_ha
