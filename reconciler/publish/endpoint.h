// The writer endpoint: a TCP forwarder at an address that never changes, in front of the primary.
//
// It is publication and client-side fence in one. It forwards to the published primary only, cuts
// the sessions of a deposed one with RST on both sides, and lets new connections wait, before the
// MySQL greeting, while there is none. A MySQL server speaks first, so a waiting client sees a slow
// server and no error; nothing a client sends is forwarded before the server's first byte, so until
// then a client can be moved to another server without its noticing. A waiting client gets ERR 1053
// when its time is up.
//
// A server whose connection is refused, or breaks before its first byte, is tried again every few
// milliseconds by one waiting client at a time until their time is up: a server that died a moment
// ago, before anybody told us, costs its clients a pause and no error.
//
// Before a planned change of the primary the sessions can be drained: ended between two statements,
// with FIN instead of RST. What ends a statement is read off the server's last bytes (OK, EOF, ERR
// and the transaction flag in them); of an encrypted session only silence tells.
//
// Sessions end with this process; where it must outlive a manager, run the endpoint by itself
// (follow.h). The database sees connections from this machine, not from the client: grants must
// allow it. TLS between client and server passes through untouched.
#pragma once

#include <cstdint>
#include <memory>

#include "reconciler/base/clock.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

struct EndpointOptions {
  Address listen{"127.0.0.1", 3306};  // numeric or localhost; port 0: any free one
  Milliseconds hold{10'000};  // how long a new connection waits for a primary, from its accept
  std::size_t max_sessions = 2000;  // forwarded and waiting together; beyond it: ERR 1040
  Milliseconds connect_timeout{
      1000};              // one attempt to reach the primary; then the client waits again
  Milliseconds retry{5};  // between two attempts while the primary refuses
};

// Counts since Start(), except *_now.
struct EndpointStatistics {
  std::uint64_t sessions_now = 0;    // forwarded
  std::uint64_t sessions_total = 0;  // that reached forwarding
  std::uint64_t sessions_cut = 0;    // ended by us: another primary, a withdrawal, a lease run out
  std::uint64_t sessions_drained = 0;  // ended by us between two statements
  std::uint64_t held_now = 0;          // clients without a server's first byte
  std::uint64_t held_expired = 0;      // that got ERR 1053
  std::uint64_t refused = 0;           // that got ERR 1040
  std::uint64_t failed_connects = 0;   // attempts that ended before the server's first byte
  std::uint64_t bytes_from_clients = 0;
  std::uint64_t bytes_to_clients = 0;
};

// Thread-safe. Runs on one thread of its own and never on the caller's; a call waits for that
// thread, which never blocks (5 s at most, then kTimeout: the outcome is unknown).
class Endpoint final : public Publisher {
 public:
  // Listens at once; clients wait until the first Publish(). Raises the process's soft limit of
  // open files when max_sessions needs it. `clock` must outlive the endpoint.
  static Result<std::unique_ptr<Endpoint>> Start(const EndpointOptions& options,
                                                 const Clock& clock);
  // Cuts everything.
  ~Endpoint() override;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // With the port that was really taken.
  const Address& listen() const;

  // When it returns, no session of another target is left, and waiting clients are being connected.
  // The same node at the same address keeps its sessions, whatever the epoch. kConflict: a lower
  // epoch than one published before, or another node under the same epoch. A host that is a name is
  // looked up in the background; clients wait meanwhile.
  Status Publish(const PublishedPrimary& primary) override;
  // For `grace` the present sessions go on as before; those that end by themselves meanwhile see no
  // error. Then each is ended
  //   - with the answer to its running statement, or at once, when no transaction is open;
  //   - encrypted, and older than a second: when the server has been silent for 20 ms after
  //   speaking
  //     last. What the client says next is not forwarded, and a transaction is not seen;
  //   - when the server falls silent for 100 ms in a handshake, or before the first statement, in
  //   an
  //     encrypted session younger than a second, or in an answer that is not understood (protocol
  //     compression; a result whose rows come slowly).
  // Others go on: in a transaction, a running statement, a result of several. A statement is either
  // not forwarded at all or answered. A client that has been ended sees at its next statement
  // "server has gone away" or "lost connection"; the statement was not executed.
  // A lease that runs out meanwhile cuts. kConflict: another call has ended the drain. While it
  // waits, other threads may call everything. Blocks until `deadline`, and 10 s more at worst.
  Status Drain(Duration grace, Deadline deadline) override;
  Status Withdraw() override;
  // The primary is none after Withdraw() or Drain(), and after the lease has run out.
  PublicationSeen Current() const override;

  // How long a Publish() or Renew() is believed; zero, the default: until the next one. Another
  // value than before starts counting now, but takes up nothing that has run out. When it has run
  // out, sessions are cut and clients wait; a process that was frozen beyond it forwards no byte
  // after its thaw.
  Status SetLease(Duration lease);
  // Of connections accepted from now on.
  Status SetHold(Milliseconds hold);
  // As Publish(), and believed from `known_at` on: the moment, on this machine's clock, at which
  // the caller last knew it to be true. A caller that was frozen in between thus prolongs nothing.
  Status PublishKnownAt(const PublishedPrimary& primary, TimePoint known_at);
  // Takes up forwarding again after a lease that had run out.
  Status Renew(Epoch epoch, TimePoint known_at) override;

  EndpointStatistics Statistics() const;

 private:
  class Core;
  explicit Endpoint(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace pandora_ha
