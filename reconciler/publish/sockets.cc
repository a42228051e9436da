#include "reconciler/publish/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace pandora_ha {
namespace {

constexpr int kFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr int kBacklog = 4096;
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

void SetOption(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof value);
}

Error ListenError(const Address& address, const char* what) {
  const int number = errno;
  return {number == EADDRINUSE ? ErrorCode::kConflict : ErrorCode::kIo,
          std::string("The writer endpoint cannot ") + what + " " + ToString(address) + ": " +
              std::strerror(number) + ". Choose another endpoint.listen or free the address.",
          number};
}

}  // namespace

std::optional<SocketAddress> NumericAddress(const Address& address) {
  SocketAddress out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.size = sizeof *v4;
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.size = sizeof *v6;
    return out;
  }
  return std::nullopt;
}

Result<Descriptor> ListenOn(const Address& address) {
  Address literal = address;
  if (literal.host == "localhost") literal.host = "127.0.0.1";
  const auto where = NumericAddress(literal);
  if (!where) {
    return Error{ErrorCode::kInvalid, "endpoint.listen " + ToString(address) +
                                          " is not a numeric address; write one, or localhost."};
  }
  Descriptor listener(socket(where->storage.ss_family, kFlags, 0));
  if (!listener.open()) return ListenError(address, "open a socket for");
  SetOption(listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (bind(listener.get(), where->get(), where->size) != 0) return ListenError(address, "bind");
  if (listen(listener.get(), kBacklog) != 0) return ListenError(address, "listen on");
  return listener;
}

Address BoundTo(int listener) {
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  getsockname(listener, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  char host[INET6_ADDRSTRLEN] = "";
  if (bound.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound.storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    return {host, ntohs(v6->sin6_port)};
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound.storage);
  inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
  return {host, ntohs(v4->sin_port)};
}

Descriptor BeginConnect(const SocketAddress& to) {
  Descriptor made(socket(to.storage.ss_family, kFlags, 0));
  if (!made.open()) return made;
  TuneStream(made.get());
  if (connect(made.get(), to.get(), to.size) != 0 && errno != EINPROGRESS) {
    const int number = errno;
    made.Close();
    errno = number;
  }
  return made;
}

int SocketError(int socket) {
  int number = 0;
  socklen_t size = sizeof number;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &size) != 0) return errno;
  return number;
}

void TuneStream(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

void ResetOnClose(int socket) {
  const linger now{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::size_t AllowOpenFiles(std::size_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < count) {
    rlimit wanted = limit;
    wanted.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  }
  return limit.rlim_cur;
}

std::string ErrorPacket(std::uint16_t number, std::string_view message) {
  const std::size_t size = 3 + message.size();
  std::string packet;
  packet += static_cast<char>(size & 0xff);
  packet += static_cast<char>((size >> 8) & 0xff);
  packet += static_cast<char>((size >> 16) & 0xff);
  packet += '\0';  // the first packet of the conversation
  packet += '\xff';
  packet += static_cast<char>(number & 0xff);
  packet += static_cast<char>(number >> 8);
  packet += message;
  return packet;
}

void RefuseClient(Descriptor client, std::string_view packet) {
  // What the client has sent is read first: closing with unread bytes would reset the connection
  // and could take our answer away from it.
  char unread[4096];
  if (recv(client.get(), unread, sizeof unread, MSG_DONTWAIT) < 0 && errno != EAGAIN) return;
  if (send(client.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
  shutdown(client.get(), SHUT_WR);
}

}  // namespace pandora_ha
