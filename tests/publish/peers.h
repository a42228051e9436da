// Real sockets for the tests of the writer endpoint: a client, a server that speaks first, and
// conditions with a deadline.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/publish/sockets.h"

namespace pandora_ha::test {

inline bool WaitUntil(const std::function<bool()>& condition, Duration limit = Seconds(5)) {
  const Deadline deadline(SystemClock(), limit);
  while (!condition()) {
    if (deadline.passed()) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

// Blocking, every wait at most 5 s.
class Peer {
 public:
  enum class End { kNone, kFin, kReset, kTimeout };

  Peer() = default;
  explicit Peer(int fd) : fd_(fd) { Limit(); }

  // `receive_buffer` 0: the system's.
  static Peer ConnectTo(const Address& address, int receive_buffer = 0) {
    Peer peer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      setsockopt(peer.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const auto to = NumericAddress(address);
    if (connect(peer.fd(), to->get(), to->size) != 0) peer.fd_.Close();
    return peer;
  }

  bool Send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = send(fd(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Shorter than asked when the connection ended or nothing came in time.
  std::string Receive(std::size_t size) {
    std::string out(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = recv(fd(), out.data() + done, size - done, 0);
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    out.resize(done);
    return out;
  }
  // Reads on to the end.
  End WaitForEnd(std::string* rest = nullptr) {
    char chunk[65536];
    for (;;) {
      const ssize_t got = recv(fd(), chunk, sizeof chunk, 0);
      if (got == 0) return End::kFin;
      if (got < 0) return errno == EAGAIN ? End::kTimeout : End::kReset;
      if (rest != nullptr) rest->append(chunk, static_cast<std::size_t>(got));
    }
  }
  bool HasInput() const {
    pollfd wait{fd(), POLLIN, 0};
    return poll(&wait, 1, 0) > 0;
  }
  void FinishSending() { shutdown(fd(), SHUT_WR); }
  void Close() { fd_.Close(); }
  int fd() const { return fd_.get(); }
  bool open() const { return fd_.open(); }

 private:
  void Limit() {
    const timeval limit{5, 0};
    setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  Descriptor fd_;
};

// A socket on a free port of 127.0.0.1. Connections are refused until Listen().
class Port {
 public:
  Port() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto any = NumericAddress({"127.0.0.1", 0});
    if (bind(fd_.get(), any->get(), any->size) != 0) fd_.Close();
    address_ = BoundTo(fd_.get());
  }
  void Listen() { listen(fd_.get(), 4096); }
  // The next connection; not open() when none comes within 5 s.
  Peer Accept() {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (poll(&wait, 1, 5000) <= 0) return Peer();
    return Peer(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  const Address& address() const { return address_; }
  int fd() const { return fd_.get(); }

 private:
  Descriptor fd_;
  Address address_;
};

// Greets every client with its name (one letter), then echoes. One thread.
class EchoServer {
 public:
  explicit EchoServer(char name) : name_(name), stop_(eventfd(0, EFD_CLOEXEC)) {
    port_.Listen();
    thread_ = std::thread([this] { Run(); });
  }
  ~EchoServer() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  const Address& address() const { return port_.address(); }
  int connections() const { return connections_; }

 private:
  void Run() {
    const Descriptor poller(epoll_create1(EPOLL_CLOEXEC));
    for (const int fd : {stop_.get(), port_.fd()}) Add(poller.get(), fd);
    std::unordered_map<int, Descriptor> open;
    std::vector<char> chunk(65536);
    for (;;) {
      epoll_event events[256];
      const int count = epoll_wait(poller.get(), events, 256, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == stop_.get()) return;
        if (fd == port_.fd()) {
          Descriptor client(accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
          if (!client.open()) continue;
          TuneStream(client.get());
          send(client.get(), &name_, 1, MSG_NOSIGNAL);
          Add(poller.get(), client.get());
          const int key = client.get();
          open.emplace(key, std::move(client));
        } else {
          const ssize_t got = recv(fd, chunk.data(), chunk.size(), 0);
          if (got > 0) {
            send(fd, chunk.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
          } else {
            open.erase(fd);
          }
        }
        connections_ = static_cast<int>(open.size());
      }
    }
  }
  static void Add(int poller, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }

  const char name_;
  Port port_;
  Descriptor stop_;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace pandora_ha::test
