// The few socket calls of the writer endpoint. Every descriptor made here is non-blocking and is
// not inherited: a copy in a database server's process would keep a session alive that we have cut.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Nothing when the host is a name. Never asks a name server.
std::optional<SocketAddress> NumericAddress(const Address& address);

// `address` is numeric, or "localhost" (127.0.0.1). Port 0 takes any free port.
Result<Descriptor> ListenOn(const Address& address);

// What the socket is bound to.
Address BoundTo(int listener);

// Begins a connect; not open() when it failed at once (errno tells). The outcome is SocketError()
// once the socket is writable.
Descriptor BeginConnect(const SocketAddress& to);
int SocketError(int socket);

// No delay of small packets; a vanished peer is noticed after about a minute of silence.
void TuneStream(int socket);

// Closing it will discard what is still on its way and send RST: a fence, not a farewell.
void ResetOnClose(int socket);

// Raises this process's soft limit of open files to `count` if the hard limit lets it. Gives the
// limit in force afterwards.
std::size_t AllowOpenFiles(std::size_t count);

// The MySQL protocol's ERR packet as a server sends it instead of its greeting: the form without
// SQLSTATE, because nothing has been agreed on with the client (it shows HY000).
std::string ErrorPacket(std::uint16_t number, std::string_view message);

// Tells the client and closes. Best effort: never waits.
void RefuseClient(Descriptor client, std::string_view packet);

}  // namespace pandora_ha
