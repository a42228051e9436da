// A server on real sockets, with a world to tell of.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "reconciler/api/client.h"
#include "reconciler/api/server.h"
#include "reconciler/loop/intent_inbox.h"
#include "tests/support/world.h"

namespace pandora_ha {

class Running {
 public:
  explicit Running(Milliseconds read_deadline = Milliseconds(2000), int most = 64) {
    char folder[] = "/tmp/pha-api-XXXXXX";
    folder_ = mkdtemp(folder);
    options.socket_path = folder_ + "/api.sock";
    options.tcp = Address{"127.0.0.1", 0};
    options.read_deadline = read_deadline;
    options.most_connections = most;
  }
  ~Running() {
    server.reset();
    std::filesystem::remove_all(folder_);
  }

  ApiSources Sources() {
    return {board,
            SystemClock(),
            [] {
              return std::map<std::string, TimePoint>{{"pandora", SystemClock().Now().mono}};
            },
            [] { return std::string("pandora_ha_up 1\n"); },
            [this](const std::string&, std::size_t most) -> Result<std::vector<Event>> {
              if (history_broken)
                return Error{ErrorCode::kIo, "The history cannot be read: disk gone.", 5};
              std::vector<Event> some = events;
              if (some.size() > most)
                some.erase(some.begin(), some.end() - static_cast<long>(most));
              return some;
            },
            Seconds(90),
            {[this](const std::string&, Intent intent) -> Status {
               PHA_TRY(inbox.Add(std::move(intent)));
               if (taken_up) taken_up();
               return Ok();
             },
             [this](const std::string&) { return inbox.All(); },
             [this](const Snapshot& last, const Intent& intent) {
               Decision decision = last.decision;
               if (would) decision.memory.intents.push_back(would(intent));
               return decision;
             }},
            [this] { return refused; }};
  }
  void Start() {
    auto started = ApiServer::Start(options, Sources());
    ASSERT_TRUE(started.ok()) << started.error().message;
    server = std::move(*started);
  }
  void Pin(World world) {
    world.seen.taken_at.mono = SystemClock().Now().mono;
    board.Pin(std::make_shared<Snapshot>(world.Pin()));
  }
  Deadline Soon() const { return {SystemClock(), Seconds(10)}; }

  Noticeboard board;
  ApiServerOptions options;
  std::vector<Event> events;
  // No loop runs here: what is asked for stays in the inbox unless `taken_up` does something.
  IntentInbox inbox;
  std::function<void()> taken_up;                    // called after each new intent
  std::function<IntentRecord(const Intent&)> would;  // of a dry run; empty: not taken up
  std::vector<RefusedFile> refused;
  bool history_broken = false;
  std::unique_ptr<ApiServer> server;

 private:
  std::string folder_;
};

// A TCP connection that sends what it is told and reads until the end.
class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port) {
    descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawPeer() { close(descriptor_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  // False when the other side has cut us.
  bool Send(const std::string& text) {
    std::size_t at = 0;
    while (at < text.size()) {
      pollfd wait{descriptor_, POLLOUT, 0};
      if (poll(&wait, 1, 10000) <= 0) return false;
      const ssize_t sent =
          send(descriptor_, text.data() + at, text.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return false;
      at += static_cast<std::size_t>(sent);
    }
    return true;
  }
  void EndOfRequests() { shutdown(descriptor_, SHUT_WR); }
  // Everything until the other side closes; "(open)" is appended when it does not within 10 s.
  std::string ReadAll() {
    std::string all;
    char piece[65536];
    while (true) {
      pollfd wait{descriptor_, POLLIN, 0};
      if (poll(&wait, 1, 10000) <= 0) return all + "(open)";
      const ssize_t got = recv(descriptor_, piece, sizeof piece, 0);
      if (got <= 0) return all;
      all.append(piece, static_cast<std::size_t>(got));
    }
  }
  std::string Ask(const std::string& text) {
    Send(text);
    return ReadAll();
  }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

inline std::string Get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

}  // namespace pandora_ha
