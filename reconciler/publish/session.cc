#include "reconciler/publish/session.h"

#include <cerrno>
#include <optional>
#include <string_view>

namespace pandora_ha {
namespace {

using boost::system::error_code;
using Wait = boost::asio::posix::descriptor_base;

// A busy session gives way to the others after this many reads.
constexpr int kReadsInARow = 4;
constexpr Seconds kYoung{1};

// Silence of the server, after which it is believed to have said all, by what its last bytes look
// like; nothing: as long as it takes.
std::optional<Duration> PatienceWith(Answer::Place place) {
  switch (place) {
    case Answer::Place::kBetween:
      return Duration::zero();
    case Answer::Place::kHidden:
      return Milliseconds(20);
    case Answer::Place::kUnclear:
      return Milliseconds(100);
    case Answer::Place::kBusy:
      break;
  }
  return std::nullopt;
}

bool TryLater() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

ClientSession::ClientSession(SessionHost& host, Descriptor client)
    : host_(host),
      client_(host.io(), client.get()),
      server_(host.io()),
      hold_timer_(host.io()),
      connect_timer_(host.io()) {
  TuneStream(client.Release());  // client_ closes it from now on
}

void ClientSession::Start(Milliseconds hold) {
  hold_timer_.expires_after(hold);
  hold_timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->phase_ < Phase::kForwarding) self->host_.OnHoldExpired(*self);
  });
  WatchClient();
}

// The only reader of the client's readiness, before and after forwarding has begun.
void ClientSession::WatchClient() {
  client_.async_wait(Wait::wait_read, [self = shared_from_this()](error_code error) {
    if (!error && self->phase_ != Phase::kEnded) self->OnClientReadable();
  });
}

void ClientSession::OnClientReadable() {
  if (phase_ == Phase::kForwarding) return Pump(up_);
  char byte = 0;
  const ssize_t got = recv(client_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) {
    spoke_early_ = true;
  } else if (got < 0 && TryLater()) {
    WatchClient();
  } else {
    End();
  }
}

void ClientSession::ConnectTo(const SocketAddress& server, Milliseconds timeout) {
  Descriptor made = BeginConnect(server);
  if (!made.open()) return host_.OnAttemptFailed(*this, errno);
  phase_ = Phase::kConnecting;
  error_code failed;
  server_.assign(made.get(), failed);
  if (failed) return host_.OnAttemptFailed(*this, failed.value());
  static_cast<void>(made.Release());
  const auto attempt = ++attempt_;
  server_.async_wait(Wait::wait_write, [self = shared_from_this(), attempt](error_code) {
    if (self->phase_ == Phase::kConnecting && self->attempt_ == attempt) self->OnConnected();
  });
  connect_timer_.expires_after(timeout);
  connect_timer_.async_wait([self = shared_from_this(), attempt](error_code error) {
    if (error || self->phase_ != Phase::kConnecting || self->attempt_ != attempt) return;
    self->host_.OnAttemptFailed(*self, ETIMEDOUT);
  });
}

void ClientSession::OnConnected() {
  connect_timer_.cancel();
  if (const int number = SocketError(server_.native_handle()); number != 0) {
    return host_.OnAttemptFailed(*this, number);
  }
  phase_ = Phase::kGreeting;
  Await(down_);
}

void ClientSession::Hold() {
  ++attempt_;
  connect_timer_.cancel();
  if (server_.is_open()) {
    ResetOnClose(server_.native_handle());
    error_code ignored;
    server_.close(ignored);
  }
  phase_ = Phase::kHeld;
}

void ClientSession::Await(Pipe& pipe) {
  if (&pipe == &up_) return WatchClient();
  const auto attempt = attempt_;
  server_.async_wait(Wait::wait_read, [self = shared_from_this(), attempt](error_code error) {
    if (error || self->phase_ == Phase::kEnded || self->attempt_ != attempt) return;
    self->OnServerReadable();
  });
}

void ClientSession::OnServerReadable() {
  if (phase_ == Phase::kForwarding) return Pump(down_);
  char byte = 0;
  const ssize_t got = recv(server_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return BeginForwarding();
  if (got < 0 && TryLater()) return Await(down_);
  host_.OnAttemptFailed(*this, got == 0 ? ECONNRESET : errno);
}

void ClientSession::BeginForwarding() {
  host_.BeforeForwarding();
  if (phase_ != Phase::kGreeting) return;
  hold_timer_.cancel();
  phase_ = Phase::kForwarding;
  was_forwarded_ = true;
  began_ = host_.Now();
  host_.OnFirstByte(*this);
  Pump(down_);
  if (phase_ == Phase::kForwarding && spoke_early_) Pump(up_);
}

void ClientSession::Pump(Pipe& pipe) {
  auto& chunk = host_.scratch();
  if (&pipe == &up_ && host_.Ending() && AwaitsClient()) {
    parked_ = true;
    return;
  }
  for (int reads = 0; reads < kReadsInARow; ++reads) {
    host_.BeforeForwarding();
    if (phase_ != Phase::kForwarding) return;
    const ssize_t got = recv(pipe.from.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got == 0) return Finish(pipe);
    if (got < 0) {
      if (TryLater()) break;
      return End();
    }
    const std::string_view said(chunk.data(), static_cast<std::size_t>(got));
    if (pipe.to_client) {
      answer_.ServerSaid(said);
      answered_ = host_.Now();
    } else {
      answer_.ClientSaid(said);
    }
    if (!Forward(pipe, said.size())) return;
    if (static_cast<std::size_t>(got) < chunk.size()) break;
  }
  if (pipe.to_client && host_.Ending()) EndBetweenStatements();
  if (phase_ == Phase::kForwarding) Await(pipe);
}

// False when reading must pause: the peer is slow, or gone.
bool ClientSession::Forward(Pipe& pipe, std::size_t size) {
  const char* data = host_.scratch().data();
  const ssize_t sent = send(pipe.to.native_handle(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && !TryLater()) {
    End();
    return false;
  }
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  host_.CountBytes(pipe.to_client, taken);
  if (taken == size) return true;
  pipe.left.assign(data + taken, data + size);
  pipe.sent = 0;
  Flush(pipe);
  return false;
}

void ClientSession::Flush(Pipe& pipe) {
  pipe.to.async_wait(Wait::wait_write, [self = shared_from_this(), &pipe](error_code error) {
    if (error || self->phase_ != Phase::kForwarding) return;
    self->host_.BeforeForwarding();
    if (self->phase_ != Phase::kForwarding) return;
    const ssize_t sent = send(pipe.to.native_handle(), pipe.left.data() + pipe.sent,
                              pipe.left.size() - pipe.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && !TryLater()) return self->End();
    const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    self->host_.CountBytes(pipe.to_client, taken);
    pipe.sent += taken;
    if (pipe.sent < pipe.left.size()) return self->Flush(pipe);
    std::vector<char>().swap(pipe.left);
    if (pipe.to_client) self->answered_ = self->host_.Now();
    self->Pump(pipe);
  });
}

void ClientSession::Finish(Pipe& pipe) {
  pipe.finished = true;
  shutdown(pipe.to.native_handle(), SHUT_WR);
  if (!up_.finished || !down_.finished) return;
  Close();  // both sides have said all they had to say
}

// An orderly one, so that the last bytes arrive.
void ClientSession::Close() {
  phase_ = Phase::kEnded;
  error_code ignored;
  client_.close(ignored);
  server_.close(ignored);
  host_.OnEnd(*this);
}

// A young encrypted session is still in its handshake, or one of those that end by themselves.
Answer::Place ClientSession::Standing() const {
  const Answer::Place seen = answer_.Now();
  const bool young = host_.Now() - began_ < kYoung;
  return seen == Answer::Place::kHidden && young ? Answer::Place::kUnclear : seen;
}

// What the client says next would begin a statement.
bool ClientSession::AwaitsClient() const {
  const Answer::Place now = Standing();
  return now == Answer::Place::kBetween || now == Answer::Place::kHidden;
}

void ClientSession::EndBetweenStatements() {
  if (parked_ && !AwaitsClient()) GoOn();
  const auto patience = PatienceWith(Standing());
  if (phase_ != Phase::kForwarding || !patience || !up_.left.empty() || !down_.left.empty() ||
      host_.Now() - answered_ < *patience) {
    return;
  }
  // A statement that has come meanwhile is read and dropped: closing with unread bytes would be
  // a reset and could take the last answer away from the client.
  auto& chunk = host_.scratch();
  shutdown(client_.native_handle(), SHUT_WR);
  while (recv(client_.native_handle(), chunk.data(), chunk.size(), MSG_DONTWAIT) > 0) continue;
  host_.OnDrained();
  Close();
}

void ClientSession::GoOn() {
  if (!parked_) return;
  parked_ = false;
  WatchClient();
}

void ClientSession::Cut() {
  phase_ = Phase::kEnded;
  hold_timer_.cancel();
  connect_timer_.cancel();
  error_code ignored;
  for (Stream* stream : {&client_, &server_}) {
    if (!stream->is_open()) continue;
    ResetOnClose(stream->native_handle());
    stream->close(ignored);
  }
}

void ClientSession::End() {
  Cut();
  host_.OnEnd(*this);
}

void ClientSession::Refuse(std::string_view packet) {
  Descriptor client(client_.release());
  Cut();
  host_.OnEnd(*this);  // counted before the client can know
  RefuseClient(std::move(client), packet);
}

}  // namespace pandora_ha
