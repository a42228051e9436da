#include "reconciler/substrate/local/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <list>
#include <optional>

#include "reconciler/base/log.h"
#include "reconciler/substrate/local/jobs.h"
#include "reconciler/substrate/local/supervised_server.h"
#include "reconciler/substrate/local/supervisor_protocol.h"
#include "reconciler/substrate/local/supervisor_socket.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kMostClients = 64;
constexpr std::size_t kMostUnread = 256 * 1024;  // of a client that does not read
constexpr int kLookMilliseconds = 1000;          // at how far long work is
constexpr int kLookAtFencedMilliseconds = 20;    // most end within the first

struct Client {
  Descriptor socket;
  std::string in, out;
  bool gone = false;
  bool claimed = false;  // the last to claim
  bool deposed = false;  // another one claimed since
};

// A request whose work is under way.
struct Pending {
  Client* client;  // null: gone
  std::uint64_t id;
  SupervisorVerb verb;
  std::int64_t pid;  // the server that ran when it was asked
};

class Supervisor {
 public:
  Supervisor(const std::string& directory, Descriptor listener, Descriptor signals)
      : listener_(std::move(listener)),
        signals_(std::move(signals)),
        jobs_(directory, [this] { PushState(); }),
        server_(directory, SystemClock(), [this] { PushState(); }) {}

  Status Adopt() {
    PHA_TRY(jobs_.Adopt());
    return server_.Adopt();
  }
  void Run() {
    server_.DeleteLeftovers();
    while (!(quitting_ && !server_.busy())) Turn();
  }

 private:
  void Turn();
  void Accept();
  void Read(Client& client);
  void Handle(Client& client, const std::string& line);
  void Begin(Client& client, const SupervisorRequest& request);
  void Settle();
  std::optional<Status> Outcome(const Pending& request) const;
  ProcessState State() const {
    ProcessState state = server_.state();
    state.archive = jobs_.Archive();
    state.merge = jobs_.Merge();
    state.rewind = jobs_.rewind.seen();
    state.verification = jobs_.Verification();
    return state;
  }
  void PushState();
  static void Send(Client& client, const std::string& text);
  static void Flush(Client& client);
  void DropGone();

  Descriptor listener_, signals_;
  std::list<Client> clients_;
  std::list<Pending> pending_;
  bool quitting_ = false;
  Jobs jobs_;
  SupervisedServer server_;  // last: its adoption may push
};

void Supervisor::Turn() {
  std::vector<pollfd> waits = {{server_.watch_descriptor(), POLLIN, 0},
                               {signals_.get(), POLLIN, 0},
                               {clients_.size() < kMostClients ? listener_.get() : -1, POLLIN, 0},
                               {jobs_.archive.watch_descriptor(), POLLIN, 0},
                               {jobs_.merge.watch_descriptor(), POLLIN, 0},
                               {jobs_.rewind.watch_descriptor(), POLLIN, 0},
                               {jobs_.verify.watch_descriptor(), POLLIN, 0}};
  for (const Client& client : clients_) {
    const int events = POLLIN | (client.out.empty() ? 0 : POLLOUT);
    waits.push_back({client.socket.get(), static_cast<short>(events), 0});
  }
  const bool working = server_.copying() || jobs_.archive.busy() || jobs_.merge.busy() ||
                       jobs_.rewind.busy() || jobs_.verify.busy();
  const int look = server_.ending_fenced() ? kLookAtFencedMilliseconds
                   : working               ? kLookMilliseconds
                                           : -1;
  if (poll(waits.data(), waits.size(), look) < 0) return;

  // The server's end before all else: managers wait for it.
  if (waits[0].revents != 0) server_.OnProcessEnd();
  if (waits[1].revents != 0) {
    signalfd_siginfo ignored{};
    if (read(signals_.get(), &ignored, sizeof ignored) > 0) {
      quitting_ = true;
      server_.Stop();
    }
  }
  if (waits[3].revents != 0) jobs_.archive.OnProcessEnd();
  if (waits[4].revents != 0) jobs_.merge.OnProcessEnd();
  if (waits[5].revents != 0) jobs_.rewind.OnProcessEnd();
  if (waits[6].revents != 0) jobs_.verify.OnProcessEnd();
  std::size_t index = 7;
  for (Client& client : clients_) {  // Accept() comes after, so the indices still fit
    const short events = waits[index++].revents;
    if ((events & POLLOUT) != 0) Flush(client);
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) Read(client);
  }
  if (waits[2].revents != 0) Accept();
  server_.LookAtFenced();
  Settle();
  server_.LookAtCopy();
  jobs_.archive.LookAtProgress();
  jobs_.merge.LookAtProgress();
  jobs_.rewind.LookAtProgress();
  jobs_.verify.LookAtProgress();
  server_.MakeFenceDurable();
  DropGone();
}

void Supervisor::Accept() {
  Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.open() || !PeerIsUs(socket.get())) return;
  clients_.push_back({std::move(socket), {}, {}});
  Send(clients_.back(), PrintState({State(), getpid(), false}));
}

void Supervisor::Read(Client& client) {
  char buffer[16 * 1024];
  const ssize_t got = recv(client.socket.get(), buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    client.gone = true;
    return;
  }
  client.in.append(buffer, static_cast<std::size_t>(got));
  while (const auto line = TakeLine(&client.in)) Handle(client, *line);
  if (client.in.size() > kLongestSupervisorLine) {
    Send(client, PrintAnswer(0, Error{ErrorCode::kInvalid, "the line is too long"}));
    client.gone = true;
  }
}

void Supervisor::Handle(Client& client, const std::string& line) {
  const auto request = ParseRequest(line);
  if (!request.ok()) {
    Send(client, PrintAnswer(0, request.error()));
    return;
  }
  Begin(client, *request);
}

void Supervisor::Begin(Client& client, const SupervisorRequest& request) {
  // A clean stop may take for ever; whoever needs the server's end must not wait for it.
  const bool ends_it =
      request.verb == SupervisorVerb::kFence || request.verb == SupervisorVerb::kKill;
  if (quitting_ && !ends_it) {
    Send(client, PrintAnswer(request.id, Error{ErrorCode::kConflict, "this supervisor is ending"}));
    return;
  }
  if (client.deposed && request.verb != SupervisorVerb::kClaim) {
    Send(client, PrintAnswer(request.id, Error{ErrorCode::kConflict,
                                               "not done: another manager has taken over the "
                                               "server's process since"}));
    return;
  }
  const std::int64_t pid = server_.state().pid;
  switch (request.verb) {
    case SupervisorVerb::kClaim:
      for (Client& other : clients_) {
        other.claimed = &other == &client;
        other.deposed = !other.claimed;
      }
      PushState();
      Send(client, PrintAnswer(request.id, Ok()));
      return;
    case SupervisorVerb::kStart:
      Send(client, PrintAnswer(request.id, server_.Start(request)));
      return;
    case SupervisorVerb::kStop:
      server_.Stop();
      break;
    case SupervisorVerb::kKill:
      server_.Kill();
      break;
    case SupervisorVerb::kFence:
      server_.Fence();
      break;
    case SupervisorVerb::kDiscardOld:
      Send(client, PrintAnswer(request.id, server_.DiscardOld()));
      return;
    case SupervisorVerb::kArchive:
      Send(client, PrintAnswer(request.id, jobs_.archive.Start(request.job_id, request.job)));
      return;
    case SupervisorVerb::kMerge:
      Send(client, PrintAnswer(request.id, jobs_.merge.Start(request.job_id, request.job)));
      return;
    case SupervisorVerb::kStopMerge:
      jobs_.merge.End(request.job_id);
      Send(client, PrintAnswer(request.id, Ok()));
      return;
    case SupervisorVerb::kRewind:
      Send(client, PrintAnswer(request.id, jobs_.rewind.Start(request.job_id, request.job)));
      return;
    case SupervisorVerb::kVerify:
      Send(client, PrintAnswer(request.id, jobs_.verify.Start(request.job_id, request.job)));
      return;
    case SupervisorVerb::kQuit:
      quitting_ = !server_.busy();
      break;
  }
  pending_.push_back({&client, request.id, request.verb, pid});
}

// Nothing while the work is under way.
std::optional<Status> Supervisor::Outcome(const Pending& request) const {
  switch (request.verb) {
    case SupervisorVerb::kStart:  // answered when it began
    case SupervisorVerb::kClaim:
    case SupervisorVerb::kDiscardOld:
    case SupervisorVerb::kArchive:
    case SupervisorVerb::kMerge:
    case SupervisorVerb::kStopMerge:
    case SupervisorVerb::kRewind:
    case SupervisorVerb::kVerify:
      return Ok();
    case SupervisorVerb::kFence:
      if (server_.spent()) return Ok();
      [[fallthrough]];
    case SupervisorVerb::kStop:
      if (server_.busy()) return std::nullopt;
      return Ok();
    case SupervisorVerb::kKill:
      // With restarts allowed the next server may run already.
      if (server_.busy() && server_.state().pid == request.pid) return std::nullopt;
      return Ok();
    case SupervisorVerb::kQuit:
      if (quitting_) return Ok();
      return Error{ErrorCode::kRefused, "the server still runs; stop it first"};
  }
  return Ok();
}

void Supervisor::Settle() {
  for (auto request = pending_.begin(); request != pending_.end();) {
    const auto outcome = Outcome(*request);
    if (!outcome) {
      ++request;
      continue;
    }
    if (request->client != nullptr) Send(*request->client, PrintAnswer(request->id, *outcome));
    request = pending_.erase(request);
  }
}

void Supervisor::PushState() {
  for (Client& client : clients_) Send(client, PrintState({State(), getpid(), client.claimed}));
}

void Supervisor::Send(Client& client, const std::string& text) {
  client.out += text;
  Flush(client);
  if (client.out.size() > kMostUnread) client.gone = true;
}

void Supervisor::Flush(Client& client) {
  if (client.out.empty() || client.gone) return;
  const ssize_t sent =
      send(client.socket.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) client.out.erase(0, static_cast<std::size_t>(sent));
  if (sent < 0 && errno != EAGAIN && errno != EINTR) client.gone = true;
}

void Supervisor::DropGone() {
  for (Pending& request : pending_) {
    if (request.client != nullptr && request.client->gone) request.client = nullptr;
  }
  clients_.remove_if([](const Client& client) { return client.gone; });
}

Result<Descriptor> TakeLock(const std::string& directory) {
  Descriptor lock(
      open((directory + "/supervisor.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.open()) return SystemError("cannot open the lock in " + directory, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kConflict, "another supervisor holds " + directory, errno};
  }
  return lock;
}

Descriptor TakeSignals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  return Descriptor(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

int Fail(const Error& error) {
  Log(LogLevel::kError, "The supervisor cannot run.", {{"why", error.message}});
  return error.code == ErrorCode::kConflict ? kSupervisorAlreadyThere : kSupervisorFailed;
}

}  // namespace

int RunSupervisor(const SupervisorOptions& options) {
  umask(0077);
  std::error_code failed;
  std::filesystem::create_directories(options.directory, failed);
  const std::string directory = std::filesystem::canonical(options.directory, failed).string();
  if (failed)
    return Fail({ErrorCode::kIo, "cannot use " + options.directory + ": " + failed.message()});

  const auto lock = TakeLock(directory);
  if (!lock.ok()) return Fail(lock.error());
  auto listener = ListenAsSupervisor(directory);
  if (!listener.ok()) return Fail(listener.error());
  const auto fail = [&](const Error& error) {
    unlink((directory + "/supervisor.sock").c_str());
    return Fail(error);
  };
  Supervisor supervisor(directory, std::move(*listener), TakeSignals());
  // Whoever connects meanwhile hears nothing, and takes the server's state for unknown.
  if (const Status adopted = supervisor.Adopt(); !adopted.ok()) {
    return fail({ErrorCode::kIo, "cannot tell whether a server runs in " + directory + ": " +
                                     adopted.error().message});
  }
  if (options.detach) {
    const pid_t child = fork();
    if (child < 0) return fail(SystemError("cannot fork", errno));
    if (child > 0) _exit(kSupervisorDone);
  }
  supervisor.Run();
  unlink((directory + "/supervisor.sock").c_str());
  return kSupervisorDone;
}

}  // namespace pandora_ha
