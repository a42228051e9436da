#include "reconciler/substrate/local/supervised_server.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include "reconciler/base/log.h"
#include "reconciler/substrate/local/copier.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

// A server asks for its own restart (RESTART, the end of CLONE) by this exit code.
constexpr int kRestartPlease = 16;
// Less than a manager waits for its new supervisor.
constexpr Duration kEndOfAStray = Seconds(5);
// An ordinary end waits for the disk, too: for the last flush, for large files that go.
constexpr Duration kHeldByItsDisk = Milliseconds(500);

// The last lines of a log, for a sentence.
std::string Tail(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  std::string error;
  for (std::string line; std::getline(file, line);) {
    if (line.find("ERROR") != std::string::npos && error.empty()) error = line;
    if (!line.empty()) last = line;
  }
  return error.empty() ? last : error;
}

constexpr char kStarted[] = "/started";  // there was a server; holds its program

std::string DefaultsFile(const std::string& directory) {
  return "--defaults-file=" + directory + "/my.cnf";
}

// The program in a server's command line, which may begin with a loader of its own.
std::string ProgramOf(const std::vector<std::string>& argv, const std::string& directory) {
  const auto options = std::find(argv.begin(), argv.end(), DefaultsFile(directory));
  return options == argv.begin() || options == argv.end() ? "" : *std::prev(options);
}

// Whoever holds the data is the server, whatever its command line says and whoever may read it. One
// that has not opened the data yet is known by its command line; a backup or a client of this
// server has the same option file, but is another program.
Result<std::vector<ProcessId>> ServersOf(const std::string& directory) {
  PHA_ASSIGN_OR_RETURN(const auto holder, HolderOfLock(directory + "/data/ibdata1"));
  if (holder) return std::vector{*holder};
  std::string program;
  std::getline(std::ifstream(directory + kStarted), program);
  return FindProcesses(DefaultsFile(directory), program);
}

}  // namespace

SupervisedServer::SupervisedServer(std::string directory, const Clock& clock,
                                   std::function<void()> changed)
    : directory_(std::move(directory)),
      data_(directory_, clock),
      clock_(clock),
      changed_(std::move(changed)) {
  state_.initialised = data_.exists();
  state_.fenced = fs::exists(directory_ + "/fenced");
  state_.restart_inhibited = true;
}

// A process found is the server's own word; the file only tells that there was one.
Status SupervisedServer::Adopt() {
  // What a predecessor left half done (the second: see copier.cc): nobody else may write to what we
  // make anew.
  for (const char* made : {"/data.new", "/data.seed"}) {
    PHA_TRY(EndProcesses("--datadir=" + directory_ + made, Deadline(clock_, kEndOfAStray)));
  }
  PHA_TRY(data_.Recover());
  state_.initialised = data_.exists();
  state_.old_copy = data_.old_exists();
  if (const std::string id = data_.copy_id(); !id.empty())
    state_.copy = CopySeen{id, CopySeen::Phase::kInPlace, 0, 0, {}, "", ""};
  PHA_ASSIGN_OR_RETURN(const auto servers, ServersOf(directory_));
  for (const ProcessId& found : servers) {
    auto process = OpenProcess(found);
    if (!process.ok() && process.error().code == ErrorCode::kNotFound) continue;
    if (!process.ok()) return process.error();
    process_ = std::move(*process);
    pid_ = found.pid;
    work_ = Work::kServing;
    state_.phase = ProcessState::Phase::kRunning;
    state_.pid = pid_;
    Log(LogLevel::kInfo, "Adopted the running server.", {{"pid", std::to_string(pid_)}});
    if (state_.fenced) SignalProcess(process_, SIGKILL);
    return Ok();
  }
  if (!fs::exists(directory_ + kStarted)) return Ok();
  state_.phase = ProcessState::Phase::kEnded;
  state_.how_ended = "ended while no supervisor was watching";
  state_.ended_at = clock_.Now().mono;
  return Ok();
}

Result<Descriptor> SupervisedServer::SpawnServer(const std::vector<std::string>& argv, int input,
                                                 const char* output) {
  const Descriptor log(
      open((directory_ + output).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  SpawnOptions options;
  options.argv = argv;
  // Tells the server that somebody will start it again when it asks.
  options.environment = {"MYSQLD_PARENT_PID=" + std::to_string(getpid())};
  options.input = input;
  options.output = log.get();
  options.new_session = true;
  PHA_ASSIGN_OR_RETURN(pid_, Spawn(options));
  is_child_ = true;
  end_asked_ = false;
  Descriptor process = OpenChild(pid_);
  if (process.open()) return process;
  // A server that nobody can fence must not live.
  const Error unwatched = SystemError("cannot watch the server's process", errno);
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  is_child_ = false;
  return unwatched;
}

Status SupervisedServer::Start(const SupervisorRequest& request) {
  if (busy() && end_asked_) {
    return Error{ErrorCode::kConflict,
                 spent_ ? "its disk holds what is left of the server before; it starts when the "
                          "disk answers"
                        : "the server is being ended"};
  }
  const bool anew = !request.copy_id.empty();
  if (anew && state_.copy && state_.copy->id == request.copy_id) return Ok();  // asked twice
  if (running() && !anew) {
    how_ = request;
    how_.initialise = {};  // holds a password
    const bool inhibited = request.restart_allowed.count() == 0;
    if (std::exchange(state_.restart_inhibited, inhibited) != inhibited) changed_();
    return Ok();
  }
  if (busy() && !running()) {
    // Its data directory is being made: the same start, asked twice.
    if (how_.copy_id == request.copy_id || !anew) return Ok();
    return Error{ErrorCode::kConflict, "the data directory is being made already"};
  }
  if (state_.fenced && !request.unfence) {
    return Error{ErrorCode::kRefused, "the node is fenced; only its manager may start it again"};
  }
  how_ = request;
  restarted_ = false;
  state_.ended_at = {};
  if (state_.fenced) {
    if (unlink((directory_ + "/fenced").c_str()) != 0 && errno != ENOENT) {
      return SystemError("cannot remove the mark of the fence in " + directory_, errno);
    }
    SyncDirectory(directory_);
    state_.fenced = false;
  }
  if (anew) {
    state_.copy =
        CopySeen{how_.copy_id, CopySeen::Phase::kCopying, 0, 0, clock_.Now().mono, "", ""};
    state_.starting = true;
  }
  if (running()) {
    make_anew_ = end_asked_ = true;
    changed_();
    Kill();
    return Ok();
  }
  const Status begun = state_.initialised && !anew ? BeginServe(how_.serve) : BeginInitialise();
  how_.initialise = {};
  if (anew && !begun.ok()) GiveUpStarting(begun.error().message);
  return begun;
}

Status SupervisedServer::BeginInitialise() {
  std::error_code failed;
  fs::remove(directory_ + "/initialise.err", failed);
  ForgetCopyProgress(directory_);
  PHA_TRY(data_.BeginNew());
  PHA_ASSIGN_OR_RETURN(const Descriptor input, InputFile(how_.initialise));
  PHA_ASSIGN_OR_RETURN(process_, SpawnServer(how_.initialise.argv, input.get(), "/initialise.out"));
  work_ = Work::kInitialising;
  state_.starting = true;
  state_.restart_inhibited = false;  // the server will run, and nobody has to ask again
  changed_();
  return Ok();
}

Status SupervisedServer::BeginServe(const std::vector<std::string>& argv) {
  PHA_ASSIGN_OR_RETURN(process_, SpawnServer(argv, -1, "/server.out"));
  work_ = Work::kServing;
  std::ofstream(directory_ + kStarted) << ProgramOf(argv, directory_) << "\n";
  state_.phase = ProcessState::Phase::kRunning;
  state_.starting = false;
  state_.pid = pid_;
  state_.how_ended.clear();
  state_.restart_inhibited = how_.restart_allowed.count() == 0 || restarted_;
  changed_();
  return Ok();
}

void SupervisedServer::OnProcessEnd() {
  // What it had begun must not write on; its number is its own until it is reaped.
  if (work_ == Work::kInitialising && is_child_) kill(-pid_, SIGKILL);
  siginfo_t end{};
  std::string how =
      "ended; its exit status is not known, because an earlier supervisor had started it";
  int exit_code = -1;
  if (is_child_ &&
      waitid(P_PIDFD, static_cast<id_t>(process_.get()), &end, WEXITED | WNOHANG) == 0) {
    if (end.si_pid == 0) return;
    const bool exited = end.si_code == CLD_EXITED;
    how = DescribeExit(exited ? end.si_status << 8 : end.si_status);
    if (exited) exit_code = end.si_status;
  }
  process_.Close();
  pid_ = 0;
  is_child_ = false;
  const Work work = std::exchange(work_, Work::kNone);
  if (work == Work::kInitialising) {
    FinishInitialise(how, exit_code == 0);
  } else {
    FinishServe(how, exit_code);
  }
}

Status SupervisedServer::DiscardOld() {
  if (!state_.old_copy) return Ok();
  PHA_TRY(data_.DiscardOld());
  state_.old_copy = false;
  changed_();
  return Ok();
}

void SupervisedServer::LookAtCopy() {
  if (!copying()) return;
  const CopyProgress now = ReadCopyProgress(directory_);
  if (now.bytes == state_.copy->bytes && now.expected == state_.copy->expected &&
      now.how == state_.copy->how) {
    return;
  }
  state_.copy->how = now.how;
  state_.copy->bytes = now.bytes;
  state_.copy->expected = now.expected;
  changed_();
}

void SupervisedServer::FinishInitialise(const std::string& how, bool succeeded) {
  if (!how_.copy_id.empty() && (!succeeded || end_asked_)) {
    const std::string why = ReadCopyProgress(directory_).why;
    return GiveUpStarting("the copy failed (" + how + ")" + (why.empty() ? "" : ": " + why));
  }
  if (!succeeded || end_asked_) {
    return GiveUpStarting("making the data directory of " + directory_ + " failed (" + how +
                          "): " + Tail(directory_ + "/initialise.err"));
  }
  if (const Status placed = data_.PutInPlace(how_.copy_id, how_.set_aside); !placed.ok()) {
    return GiveUpStarting(placed.error().message);
  }
  state_.initialised = true;
  state_.old_copy = data_.old_exists();
  if (state_.copy && !how_.copy_id.empty()) state_.copy->phase = CopySeen::Phase::kInPlace;
  how_.copy_id.clear();
  if (const Status begun = BeginServe(how_.serve); !begun.ok()) {
    GiveUpStarting(begun.error().message);
  }
}

// What is there of the copy only takes up space.
void SupervisedServer::FailCopy(const std::string& why) {
  if (!state_.copy || state_.copy->phase != CopySeen::Phase::kCopying) return;
  state_.copy->phase = CopySeen::Phase::kFailed;
  state_.copy->why = why;
  state_.starting = false;
  how_.copy_id.clear();
  if (const Status gone = data_.DiscardNew(); !gone.ok())
    Log(LogLevel::kWarning, "What is left of a copy stays.", {{"why", gone.error().message}});
}

// Whoever ordered the start has its answer already: the state must say why nothing runs.
void SupervisedServer::GiveUpStarting(std::string why) {
  Log(LogLevel::kError, "The server could not be started.", {{"why", why}});
  FailCopy(why);
  state_.phase = ProcessState::Phase::kEnded;
  state_.starting = false;
  state_.how_ended = std::move(why);
  state_.ended_at = clock_.Now().mono;
  state_.restart_inhibited = true;
  changed_();
}

void SupervisedServer::FinishServe(const std::string& how, int exit_code) {
  if (std::exchange(make_anew_, false)) {
    state_.phase = ProcessState::Phase::kEnded;
    state_.pid = 0;
    state_.how_ended = "ended, so that its data can be made anew";
    state_.ended_at = clock_.Now().mono;
    const Status begun = BeginInitialise();
    how_.initialise = {};
    if (!begun.ok()) GiveUpStarting(begun.error().message);
    return;
  }
  FailCopy("the server was fenced or stopped before the copy began");
  const TimePoint now = std::exchange(spent_, false) ? state_.ended_at : clock_.Now().mono;
  const bool asks = exit_code == kRestartPlease;
  const bool allowed = how_.restart_allowed.count() > 0 &&
                       !(restarted_ && now - restarted_at_ < how_.restart_allowed);
  const bool again =
      !end_asked_ && !state_.fenced && !how_.serve_again.empty() && (asks || allowed);
  state_.phase = ProcessState::Phase::kEnded;
  state_.pid = 0;
  state_.how_ended = how;
  state_.ended_at = now;
  state_.restart_inhibited = !again;
  changed_();
  Log(LogLevel::kInfo, "The server ended.", {{"how", how}, {"starts_again", again ? "yes" : "no"}});
  if (!again) return;
  if (!asks) {
    restarted_ = true;
    restarted_at_ = now;
  }
  if (const Status started = BeginServe(how_.serve_again); !started.ok()) {
    Log(LogLevel::kError, "The server could not be started again.",
        {{"why", started.error().message}});
    state_.restart_inhibited = true;
    changed_();
  }
}

void SupervisedServer::Stop() {
  end_asked_ = true;
  make_anew_ = false;
  if (work_ == Work::kInitialising) return Kill();
  SignalProcess(process_, SIGTERM);
}

void SupervisedServer::Kill() {
  // Whoever makes a data directory may have begun programs of its own, in its own session.
  if (work_ == Work::kInitialising && is_child_) kill(-pid_, SIGKILL);
  SignalProcess(process_, SIGKILL);
}

// The mark comes first, so that a successor of ours that finds the process alive ends it. The disk
// may learn of it later: a crash of the machine ends the process too.
void SupervisedServer::Fence() {
  end_asked_ = true;
  const Descriptor mark(
      open((directory_ + "/fenced").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!mark.open()) {
    Log(LogLevel::kError,
        "The mark of the fence cannot be written; the server is killed all the same.",
        {{"directory", directory_}});
  }
  Kill();
  make_anew_ = false;
  const bool news = !state_.fenced;
  state_.fenced = true;
  state_.restart_inhibited = true;
  if (news) changed_();
  mark_unflushed_ = mark_unflushed_ || news;
}

void SupervisedServer::LookAtFenced() {
  if (!ending_fenced() || !OnlyTheKernelHolds(pid_)) {
    held_since_.reset();
    return;
  }
  const TimePoint now = clock_.Now().mono;
  if (!held_since_) held_since_ = now;
  if (now - *held_since_ < kHeldByItsDisk) return;
  spent_ = true;
  state_.phase = ProcessState::Phase::kEnded;
  state_.how_ended = DescribeExit(SIGKILL) + "; its disk does not answer and holds what is left";
  state_.ended_at = now;
  state_.restart_inhibited = true;
  Log(LogLevel::kWarning, "The server is fenced; its disk holds its last threads.",
      {{"pid", std::to_string(pid_)}});
  changed_();
}

void SupervisedServer::MakeFenceDurable() {
  if (busy() || !mark_unflushed_) return;
  SyncDirectory(directory_);
  mark_unflushed_ = false;
}

}  // namespace pandora_ha
