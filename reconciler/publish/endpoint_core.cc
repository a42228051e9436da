#include "reconciler/publish/endpoint_core.h"

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

using boost::system::error_code;
using Tcp = boost::asio::ip::tcp;

constexpr Seconds kCallLimit{5};
constexpr Milliseconds kPauseWithoutDescriptors{100};
constexpr Seconds kPauseBetweenLookups{1};
constexpr Milliseconds kPauseOfDrain{1};  // between two looks at the sessions
constexpr int kAcceptsInARow = 64;
constexpr std::uint16_t kTooManyConnections = 1040;
constexpr std::uint16_t kServerShutdown = 1053;

SocketAddress FromAsio(const Tcp::endpoint& endpoint) {
  SocketAddress out;
  std::memcpy(&out.storage, endpoint.data(), endpoint.size());
  out.size = static_cast<socklen_t>(endpoint.size());
  return out;
}

}  // namespace

Endpoint::Core::Core(const EndpointOptions& options, const Clock& clock, Descriptor listener)
    : options_(options),
      clock_(clock),
      bound_(BoundTo(listener.get())),
      listener_(io_, listener.Release()),
      resolver_(io_),
      retry_timer_(io_),
      lease_timer_(io_),
      accept_timer_(io_),
      lookup_timer_(io_),
      drain_timer_(io_) {
  Accept();
  thread_ = std::thread([this] { Run(); });
}

Endpoint::Core::~Core() {
  boost::asio::post(io_, [this] {
    closing_ = true;
    CutForwarded();
    for (auto& session : waiting_) session->Cut();
    io_.stop();
  });
  thread_.join();
}

Status Endpoint::Core::Call(std::function<Status()> work) {
  auto task = std::make_shared<std::packaged_task<Status()>>(std::move(work));
  auto answer = task->get_future();
  {
    const std::lock_guard lock(commands_mutex_);
    commands_.push_back(std::move(task));
  }
  commands_waiting_.store(true, std::memory_order_release);
  boost::asio::post(io_, [this] { RunCommands(); });
  if (answer.wait_for(kCallLimit) != std::future_status::ready) {
    return Error{ErrorCode::kTimeout,
                 "The writer endpoint " + ToString(bound_) +
                     " did not answer within 5 s; whether it still forwards to the "
                     "old primary is unknown. Restart this process."};
  }
  try {
    return answer.get();
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kInternal, "The writer endpoint " + ToString(bound_) +
                                           " failed halfway: " + thrown.what() +
                                           ". Restart this process."};
  }
}

void Endpoint::Core::Run() {
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& thrown) {
      // One client's trouble (memory, a kernel table that is full) must not end the others.
      Log(LogLevel::kError, "The writer endpoint met an error and goes on.",
          {{"error", thrown.what()}});
    }
  }
}

void Endpoint::Core::RunCommands() {
  std::deque<std::shared_ptr<std::packaged_task<Status()>>> commands;
  {
    const std::lock_guard lock(commands_mutex_);
    commands.swap(commands_);
    commands_waiting_.store(false, std::memory_order_release);
  }
  for (const auto& command : commands) (*command)();
}

Status Endpoint::Core::Publish(const PublishedPrimary& primary, TimePoint known_at) {
  if (last_ && (primary.epoch < last_->epoch ||
                (primary.epoch == last_->epoch && primary.node != last_->node))) {
    return Error{
        ErrorCode::kConflict,
        "The writer endpoint " + ToString(bound_) + " was told that " + last_->node.text +
            " is the primary of epoch " + std::to_string(last_->epoch.number) + " and refuses " +
            primary.node.text + " of epoch " + std::to_string(primary.epoch.number) +
            ". Another manager has promoted a node meanwhile; look at `pandora-ha history`."};
  }
  const bool same = target_ && target_->node == primary.node && target_->address == primary.address;
  EndDrain();
  target_ = last_ = primary;
  lapsed_ = refusing_ = false;
  if (!same) {
    CutForwarded();
    HoldWaiting();
    addresses_.clear();
    next_address_ = 0;
    ++lookup_;
    if (const auto numeric = NumericAddress(primary.address)) {
      addresses_.push_back(*numeric);
    } else {
      LookUp();
    }
  }
  StartLease(known_at);
  ShowState();
  ConnectWaiting();
  return Ok();
}

Status Endpoint::Core::BeginDrain(Duration grace, std::shared_ptr<std::promise<void>> over) {
  EndDrain();
  drain_ = Draining{clock_.Now().mono + grace, false, std::move(over)};
  ShowState();
  HoldWaiting();
  GoOnDraining();
  return Ok();
}

void Endpoint::Core::GoOnDraining() {
  drain_->grace_over = clock_.Now().mono >= drain_->grace_ends;
  for (auto next = forwarded_.begin(); drain_->grace_over && next != forwarded_.end();) {
    const auto session = *next++;  // it leaves the list when it ends
    session->EndBetweenStatements();
  }
  if (forwarded_.empty()) {  // for good: until a publication nobody is let in
    std::exchange(drain_->over, nullptr)->set_value();
    return;
  }
  drain_timer_.expires_after(kPauseOfDrain);
  drain_timer_.async_wait([this](error_code error) {
    if (!error && drain_ && drain_->over) GoOnDraining();
  });
}

void Endpoint::Core::EndDrain() {
  if (!drain_) return;
  drain_timer_.cancel();
  if (drain_->over) drain_->over->set_value();
  drain_.reset();
  for (auto& session : forwarded_) session->GoOn();
}

Status Endpoint::Core::Drained() const {
  if (forwarded_.empty()) return Ok();
  if (!drain_) {
    return Error{ErrorCode::kConflict, "The writer endpoint " + ToString(bound_) +
                                           " was told something else before all clients had been "
                                           "ended."};
  }
  return Error{ErrorCode::kTimeout,
               "The writer endpoint " + ToString(bound_) +
                   " has clients that are still in a statement or a transaction (" +
                   std::to_string(forwarded_.size()) + "); a withdrawal cuts them."};
}

Status Endpoint::Core::Withdraw() {
  EndDrain();
  target_.reset();
  ++lookup_;
  ShowState();
  CutForwarded();
  HoldWaiting();
  return Ok();
}

Status Endpoint::Core::SetLease(Duration lease) {
  if (lease == lease_) return Ok();
  lease_ = lease;
  if (!lapsed_) StartLease(clock_.Now().mono);
  return Ok();
}

Status Endpoint::Core::Renew(Epoch epoch, TimePoint known_at) {
  if (!last_ || last_->epoch != epoch) {
    return Error{ErrorCode::kConflict,
                 "The writer endpoint " + ToString(bound_) + " does not publish epoch " +
                     std::to_string(epoch.number) + ", so it cannot be prolonged."};
  }
  lapsed_ = false;
  StartLease(known_at);
  ShowState();
  ConnectWaiting();
  return Ok();
}

void Endpoint::Core::StartLease(TimePoint from) {
  lease_timer_.cancel();
  if (lease_ <= Duration::zero()) return;
  lease_ends_ = from + lease_;
  const Duration left = lease_ends_ - clock_.Now().mono;
  if (left <= Duration::zero()) return CheckLease();
  lease_timer_.expires_after(left);
  lease_timer_.async_wait([this](error_code error) {
    // From anew: a clock that was adjusted meanwhile may have some time left.
    if (!error && !lapsed_) StartLease(lease_ends_ - lease_);
  });
}

void Endpoint::Core::CheckLease() {
  if (clock_.Now().mono < lease_ends_) return;
  lapsed_ = true;
  ShowState();
  CutForwarded();
  HoldWaiting();
  if (!target_) return;  // nothing was forwarded that could stop
  Log(LogLevel::kWarning,
      "The writer endpoint has not heard of its manager for a whole lease and stops forwarding.",
      {{"listen", ToString(bound_)}, {"lease", FormatDuration(lease_)}});
}

void Endpoint::Core::ShowState() {
  const std::lock_guard lock(seen_mutex_);
  seen_.epoch = last_ ? last_->epoch : Epoch();
  seen_.primary = Open() ? std::optional(target_->node) : std::nullopt;
  seen_.problem = target_ && lapsed_ ? "the writer endpoint's lease of " + FormatDuration(lease_) +
                                           " has run out: clients wait until a manager renews it"
                                     : "";
}

void Endpoint::Core::Accept() {
  listener_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](error_code error) {
    if (error || closing_) return;
    AcceptReady();
  });
}

void Endpoint::Core::AcceptReady() {
  for (int accepted = 0; accepted < kAcceptsInARow; ++accepted) {
    Descriptor client(
        accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client.open()) {
      try {
        Admit(std::move(client));
      } catch (const std::exception& thrown) {  // this client is lost; the next one must not be
        Log(LogLevel::kError, "The writer endpoint cannot take a client.",
            {{"error", thrown.what()}});
      }
      continue;
    }
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) break;
    Log(LogLevel::kError, "The writer endpoint cannot accept a client; raise LimitNOFILE.",
        {{"listen", ToString(bound_)}, {"error", std::strerror(errno)}});
    accept_timer_.expires_after(kPauseWithoutDescriptors);
    accept_timer_.async_wait([this](error_code error) {
      if (!error) Accept();
    });
    return;
  }
  Accept();
}

void Endpoint::Core::Admit(Descriptor client) {
  if (waiting_.size() + forwarded_.size() >= options_.max_sessions) {
    counts_.refused.fetch_add(1, std::memory_order_relaxed);
    return RefuseClient(std::move(client),
                        ErrorPacket(kTooManyConnections,
                                    "Pandora HA: too many connections at the writer endpoint"));
  }
  waiting_.push_back(std::make_shared<ClientSession>(*this, std::move(client)));
  ClientSession& session = *waiting_.back();
  session.place = std::prev(waiting_.end());
  counts_.held_now.store(waiting_.size(), std::memory_order_relaxed);
  session.Start(options_.hold);
  if (CanConnect()) {
    Connect(session);
  } else {
    ArmRetry();
  }
}

void Endpoint::Core::Connect(ClientSession& session) {
  session.ConnectTo(addresses_[next_address_ % addresses_.size()], options_.connect_timeout);
}

void Endpoint::Core::ConnectWaiting() {
  for (auto& session : waiting_) {
    if (!CanConnect()) break;
    if (session->phase() == ClientSession::Phase::kHeld) Connect(*session);
  }
  ArmRetry();
}

void Endpoint::Core::OnFirstByte(ClientSession& session) {
  forwarded_.splice(forwarded_.end(), waiting_, session.place);
  counts_.sessions_total.fetch_add(1, std::memory_order_relaxed);
  counts_.sessions_now.store(forwarded_.size(), std::memory_order_relaxed);
  counts_.held_now.store(waiting_.size(), std::memory_order_relaxed);
  if (!refusing_) return;
  refusing_ = false;
  // Not from here: the others' attempts must not run inside this session's handler.
  boost::asio::post(io_, [this] { ConnectWaiting(); });
}

void Endpoint::Core::OnAttemptFailed(ClientSession& session, int error_number) {
  counts_.failed_connects.fetch_add(1, std::memory_order_relaxed);
  session.Hold();
  ++next_address_;
  if (!refusing_ && target_) {
    Log(LogLevel::kWarning, "The published primary does not take connections; clients wait.",
        {{"node", target_->node.text},
         {"address", ToString(target_->address)},
         {"error", std::strerror(error_number)}});
    if (!NumericAddress(target_->address)) LookUpLater();
  }
  refusing_ = true;
  ArmRetry();
}

void Endpoint::Core::ArmRetry() {
  if (retry_armed_ || !refusing_ || !Open() || waiting_.empty()) return;
  retry_armed_ = true;
  retry_timer_.expires_after(options_.retry);
  retry_timer_.async_wait([this](error_code error) {
    retry_armed_ = false;
    if (!error) RetryOne();
  });
}

// One client probes for all: a thousand waiting ones must not hammer a server that is coming up.
void Endpoint::Core::RetryOne() {
  if (Open() && refusing_ && !addresses_.empty()) {
    for (auto place = waiting_.begin(); place != waiting_.end(); ++place) {
      if ((*place)->phase() != ClientSession::Phase::kHeld) continue;
      ClientSession& session = **place;
      waiting_.splice(waiting_.end(), waiting_, place);
      Connect(session);
      break;
    }
  }
  ArmRetry();
}

void Endpoint::Core::LookUp() {
  const auto lookup = lookup_;
  resolver_.async_resolve(
      target_->address.host, std::to_string(target_->address.port), Tcp::resolver::numeric_service,
      [this, lookup](error_code error, const Tcp::resolver::results_type& found) {
        if (lookup != lookup_) return;
        if (error) {
          Log(LogLevel::kWarning, "The primary's name cannot be looked up; clients wait.",
              {{"host", target_->address.host}, {"error", error.message()}});
        } else {
          addresses_.clear();
          for (const auto& entry : found) addresses_.push_back(FromAsio(entry.endpoint()));
          ConnectWaiting();
        }
        if (error || refusing_) LookUpLater();
      });
}

// A name may move to another address while the server behind it does not answer.
void Endpoint::Core::LookUpLater() {
  lookup_timer_.expires_after(kPauseBetweenLookups);
  lookup_timer_.async_wait([this, lookup = lookup_](error_code stopped) {
    if (!stopped && lookup == lookup_ && target_) LookUp();
  });
}

void Endpoint::Core::CutForwarded() {
  for (auto& session : forwarded_) session->Cut();
  counts_.sessions_cut.fetch_add(forwarded_.size(), std::memory_order_relaxed);
  counts_.sessions_now.store(0, std::memory_order_relaxed);
  forwarded_.clear();
}

void Endpoint::Core::HoldWaiting() {
  for (auto& session : waiting_) session->Hold();
}

void Endpoint::Core::OnHoldExpired(ClientSession& session) {
  counts_.held_expired.fetch_add(1, std::memory_order_relaxed);
  session.Refuse(ErrorPacket(kServerShutdown, "Pandora HA: no primary within " +
                                                  FormatDuration(options_.hold) +
                                                  "; see pandora-ha explain"));
}

void Endpoint::Core::OnEnd(ClientSession& session) {
  // A session that was forwarded at its end is in forwarded_ and nowhere else; erase works on
  // either.
  (session.was_forwarded() ? forwarded_ : waiting_).erase(session.place);
  counts_.sessions_now.store(forwarded_.size(), std::memory_order_relaxed);
  counts_.held_now.store(waiting_.size(), std::memory_order_relaxed);
}

}  // namespace pandora_ha
