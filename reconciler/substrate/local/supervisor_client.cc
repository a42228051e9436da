#include "reconciler/substrate/local/supervisor_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "reconciler/substrate/local/process.h"
#include "reconciler/substrate/local/supervisor.h"
#include "reconciler/substrate/local/supervisor_socket.h"

namespace pandora_ha {
namespace {

constexpr Duration kSpawnBudget = Seconds(10);
constexpr int kRetryMilliseconds = 50;

}  // namespace

struct SupervisorClient::Inside {
  Inside(SupervisorClientOptions given, const Clock& the_clock)
      : options(std::move(given)), clock(the_clock), wake(eventfd(0, EFD_CLOEXEC)) {}

  void Run();
  Result<Descriptor> ConnectOrSpawn();
  Status SpawnSupervisor();
  void ReadUntilBroken(int socket);
  void Take(const std::string& line);
  bool Lose(const std::string& why);
  bool Wait(int socket, int milliseconds, bool* readable) const;
  Status Send(const std::string& line);

  const SupervisorClientOptions options;
  const Clock& clock;
  const Descriptor wake;  // written once: the client is being destroyed
  std::thread thread;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  // Guarded by mutex:
  Descriptor socket;
  Seen<SupervisorState> state;
  std::map<std::uint64_t, std::optional<Status>> calls;  // by id; empty: not answered yet
  std::uint64_t last_id = 0;
  bool may_spawn = true;
};

SupervisorClient::SupervisorClient(SupervisorClientOptions options, const Clock& clock)
    : inside_(std::make_unique<Inside>(std::move(options), clock)) {
  inside_->thread = std::thread([inside = inside_.get()] { inside->Run(); });
}

SupervisorClient::~SupervisorClient() {
  eventfd_write(inside_->wake.get(), 1);
  inside_->thread.join();
}

Seen<SupervisorState> SupervisorClient::State() const {
  const std::lock_guard lock(inside_->mutex);
  return inside_->state;
}

bool SupervisorClient::WaitFor(const std::function<bool(const Seen<SupervisorState>&)>& condition,
                               Deadline deadline) const {
  std::unique_lock lock(inside_->mutex);
  return inside_->changed.wait_for(lock, deadline.left(),
                                   [&] { return condition(inside_->state); });
}

Status SupervisorClient::Call(SupervisorRequest request, Deadline deadline) {
  Inside& in = *inside_;
  std::unique_lock lock(in.mutex);
  if (!in.changed.wait_for(lock, deadline.left(), [&] { return in.state.known(); })) {
    return Error{ErrorCode::kUnreachable, in.state.why_unknown()};
  }
  request.id = ++in.last_id;
  const std::string line = PrintRequest(request);
  if (line.size() > kLongestSupervisorLine) {
    return Error{ErrorCode::kInvalid, "the request to the supervisor is too long"};
  }
  PHA_TRY(in.Send(line));
  in.calls[request.id] = std::nullopt;
  const bool answered =
      in.changed.wait_for(lock, deadline.left(), [&] { return in.calls[request.id].has_value(); });
  const auto answer = in.calls.extract(request.id);
  if (answered) return *answer.mapped();
  return Error{ErrorCode::kTimeout,
               "the supervisor in " + in.options.directory + " did not finish in time"};
}

Status SupervisorClient::StopAndQuit(Deadline deadline) {
  const auto ask = [&](SupervisorVerb verb, Deadline until) {
    SupervisorRequest request;
    request.verb = verb;
    return Call(std::move(request), until);
  };
  const Status stopped = ask(SupervisorVerb::kStop, deadline.Within(deadline.left() * 2 / 3));
  if (!stopped.ok()) PHA_TRY(ask(SupervisorVerb::kKill, deadline));
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->may_spawn = false;
  }
  const Seen<SupervisorState> last = State();
  const auto process = IdentifyProcess(last.known() ? static_cast<pid_t>(last->supervisor_pid) : 0);
  const auto supervisor = process.ok() ? OpenProcess(*process) : process.error();
  PHA_TRY(ask(SupervisorVerb::kQuit, deadline));
  pollfd end{supervisor.ok() ? supervisor->get() : -1, POLLIN, 0};
  if (supervisor.ok() && poll(&end, 1, deadline.poll_milliseconds()) == 0) {
    return Error{ErrorCode::kTimeout,
                 "the supervisor in " + inside_->options.directory + " does not end"};
  }
  return Ok();
}

// The supervisor reads all the time, so this blocks only when it is stopped; the socket has a
// timeout.
Status SupervisorClient::Inside::Send(const std::string& line) {
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t sent = send(socket.get(), line.data() + done, line.size() - done, MSG_NOSIGNAL);
    if (sent < 0) {
      // A line that was sent in part must not be continued by the next one.
      shutdown(socket.get(), SHUT_RDWR);
      return Error{ErrorCode::kUnreachable,
                   "the supervisor in " + options.directory + " does not read", errno};
    }
    done += static_cast<std::size_t>(sent);
  }
  return Ok();
}

void SupervisorClient::Inside::Run() {
  for (bool readable = false;;) {
    auto connected = ConnectOrSpawn();
    if (!connected.ok()) {
      Lose(connected.error().message);
      if (!Wait(-1, kRetryMilliseconds, &readable)) return;
      continue;
    }
    {
      const std::lock_guard lock(mutex);
      socket = std::move(*connected);
    }
    ReadUntilBroken(socket.get());
    // One that hangs up without a word would do so again at once.
    const bool spoke = Lose("the supervisor in " + options.directory + " is gone");
    if (!Wait(-1, spoke ? 0 : kRetryMilliseconds, &readable)) return;
  }
}

Result<Descriptor> SupervisorClient::Inside::ConnectOrSpawn() {
  auto connected = ConnectToSupervisor(options.directory);
  bool spawn = false;
  {
    const std::lock_guard lock(mutex);
    spawn = may_spawn;
  }
  if (!connected.ok() && connected.error().code == ErrorCode::kNotFound && spawn) {
    PHA_TRY(SpawnSupervisor());
    connected = ConnectToSupervisor(options.directory);
  }
  if (connected.ok()) {
    const timeval limit{2, 0};
    setsockopt(connected->get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  return connected;
}

Status SupervisorClient::Inside::SpawnSupervisor() {
  const std::string log_path = options.directory + "/supervisor.log";
  const Descriptor log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.open()) return SystemError("cannot write " + log_path, errno);
  SpawnOptions spawn;
  spawn.argv = options.command;
  spawn.argv.push_back(options.directory);
  spawn.output = log.get();
  spawn.new_session = true;
  PHA_ASSIGN_OR_RETURN(const Finished finished, RunToEnd(spawn, Deadline(clock, kSpawnBudget)));
  const int status = finished.exit_status;
  if (WIFEXITED(status) &&
      (WEXITSTATUS(status) == kSupervisorDone || WEXITSTATUS(status) == kSupervisorAlreadyThere)) {
    return Ok();
  }
  return Error{ErrorCode::kIo, "a supervisor for " + options.directory + " could not be started (" +
                                   DescribeExit(status) + "); see " + log_path};
}

// False when the client is being destroyed.
bool SupervisorClient::Inside::Wait(int on, int milliseconds, bool* readable) const {
  pollfd waits[2] = {{wake.get(), POLLIN, 0}, {on, POLLIN, 0}};
  if (poll(waits, 2, milliseconds) < 0) return true;
  *readable = waits[1].revents != 0;
  return waits[0].revents == 0;
}

void SupervisorClient::Inside::ReadUntilBroken(int on) {
  std::string buffer;
  for (bool readable = false; Wait(on, -1, &readable);) {
    if (!readable) continue;
    char bytes[16 * 1024];
    const ssize_t got = recv(on, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    buffer.append(bytes, static_cast<std::size_t>(got));
    while (const auto line = TakeLine(&buffer)) Take(*line);
    if (buffer.size() > kLongestSupervisorLine) return;
  }
}

void SupervisorClient::Inside::Take(const std::string& line) {
  const auto message = ParseMessage(line);
  if (!message.ok()) return;
  {
    const std::lock_guard lock(mutex);
    if (message->state) state = Seen<SupervisorState>::Known(*message->state, clock.Now().mono);
    if (message->answer_to) {
      const auto call = calls.find(*message->answer_to);
      if (call != calls.end()) call->second = message->error ? Status(*message->error) : Ok();
    }
  }
  changed.notify_all();
  if (message->state && options.on_change) options.on_change();
}

// True when there had been a state.
bool SupervisorClient::Inside::Lose(const std::string& why) {
  bool spoke = false;
  bool news = false;
  {
    const std::lock_guard lock(mutex);
    socket.Close();
    spoke = state.known();
    news = spoke || state.why_unknown() != why;
    state = Seen<SupervisorState>::Unknown(why, clock.Now().mono);
    for (auto& [id, answer] : calls) {
      if (!answer) answer = Status(Error{ErrorCode::kUnreachable, why});
    }
  }
  changed.notify_all();
  if (news && options.on_change) options.on_change();
  return spoke;
}

}  // namespace pandora_ha
