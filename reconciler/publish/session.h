// One client of the writer endpoint. Internal to reconciler/publish; lives on the endpoint's
// thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "reconciler/publish/answer.h"
#include "reconciler/publish/endpoint.h"
#include "reconciler/publish/sockets.h"

namespace pandora_ha {

class ClientSession;
using SessionList = std::list<std::shared_ptr<ClientSession>>;

// What a session needs of the endpoint. All calls on the endpoint's thread.
class SessionHost {
 public:
  // One read. What the other side does not take of it is kept, and nothing more is read before that
  // is gone: the whole memory of a slow peer.
  static constexpr std::size_t kChunk = 64 * 1024;

  virtual ~SessionHost() = default;
  // Commands and the lease come before every byte: when this returns, the session may be cut.
  virtual void BeforeForwarding() = 0;
  // Sessions are to end where they stand between two statements.
  virtual bool Ending() const = 0;
  virtual TimePoint Now() const = 0;
  virtual void OnFirstByte(ClientSession& session) = 0;
  virtual void OnAttemptFailed(ClientSession& session, int error_number) = 0;
  virtual void OnHoldExpired(ClientSession& session) = 0;
  // May destroy the session once its handler is over.
  virtual void OnEnd(ClientSession& session) = 0;
  // Before OnEnd(): it ended between two statements because of Ending().
  virtual void OnDrained() = 0;
  virtual void CountBytes(bool to_client, std::size_t bytes) = 0;

  boost::asio::io_context& io() { return io_; }
  std::array<char, kChunk>& scratch() { return scratch_; }

 protected:
  boost::asio::io_context io_{1};

 private:
  std::array<char, kChunk> scratch_;
};

class ClientSession : public std::enable_shared_from_this<ClientSession> {
 public:
  enum class Phase { kHeld, kConnecting, kGreeting, kForwarding, kEnded };

  // Throws when the kernel cannot watch one more descriptor; the client is then closed.
  ClientSession(SessionHost& host, Descriptor client);

  // Begins to wait, for `hold` in all.
  void Start(Milliseconds hold);
  // REQUIRES: phase() is kHeld
  void ConnectTo(const SocketAddress& server, Milliseconds timeout);
  // Drops the attempt to reach a server; the client does not notice.
  // REQUIRES: phase() is before kForwarding
  void Hold();
  // While the host is Ending(), and often: ends the session with FIN to both sides when it stands
  // between two statements.
  // REQUIRES: phase() is kForwarding
  void EndBetweenStatements();
  // The host is no longer Ending().
  void GoOn();
  // RST to both sides.
  void Cut();
  // Answers with an ERR packet and closes.
  void Refuse(std::string_view packet);

  Phase phase() const { return phase_; }
  // Also true after its end.
  bool was_forwarded() const { return was_forwarded_; }
  SessionList::iterator place;  // where the endpoint keeps it

 private:
  using Stream = boost::asio::posix::stream_descriptor;
  // One direction.
  struct Pipe {
    Stream& from;
    Stream& to;
    bool to_client;
    bool finished = false;   // FIN forwarded
    std::vector<char> left;  // read and not yet taken by `to`
    std::size_t sent = 0;    // of left
  };

  void WatchClient();
  void OnClientReadable();
  void OnConnected();
  void OnServerReadable();
  void BeginForwarding();
  void Await(Pipe& pipe);
  void Pump(Pipe& pipe);
  bool Forward(Pipe& pipe, std::size_t size);
  void Flush(Pipe& pipe);
  void Finish(Pipe& pipe);
  Answer::Place Standing() const;
  bool AwaitsClient() const;
  void Close();
  void End();

  SessionHost& host_;
  Stream client_, server_;
  Pipe up_{client_, server_, false, false, {}, 0};
  Pipe down_{server_, client_, true, false, {}, 0};
  boost::asio::steady_timer hold_timer_, connect_timer_;
  Phase phase_ = Phase::kHeld;
  std::uint64_t attempt_ = 0;  // tells handlers of a dropped attempt from those of the present one
  bool was_forwarded_ = false;
  Answer answer_;
  TimePoint began_{};         // forwarding
  TimePoint answered_{};      // when the client was last given something
  bool parked_ = false;       // the client's next statement is not read
  bool spoke_early_ = false;  // the client has sent something before the greeting
};

}  // namespace pandora_ha
