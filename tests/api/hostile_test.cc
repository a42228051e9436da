// What a hostile peer can send. Each is answered with an error or cut, and the next honest request
// is answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Hostile : public testing::Test {
 protected:
  explicit Hostile(Milliseconds deadline = Milliseconds(2000), int most = 64)
      : running_(deadline, most) {
    running_.Pin(World());
    running_.Start();
  }
  std::uint16_t port() const { return running_.server->tcp_port(); }
  std::string Ask(const std::string& text) { return RawPeer(port()).Ask(text); }
  void TearDown() override { EXPECT_THAT(Ask(Get("/healthz")), StartsWith("HTTP/1.1 200 OK")); }

  Running running_;
};

TEST_F(Hostile, MalformedRequestsAre400) {
  const std::string post = "POST /metrics HTTP/1.1\r\nHost: x\r\n";
  const std::vector<std::string> requests = {
      post + "Content-Length: -5\r\n\r\n",
      post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
      post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      post + "Content-Length: 99999999999999999999999\r\n\r\n",
      "GARBAGE\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "GET /metrics\x01 HTTP/1.1\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nBad Header: x\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nA: b\x01\r\n\r\n",
      std::string("GET /metrics\0x HTTP/1.1\r\n\r\n", 27),
      "GET  HTTP/1.1\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  // a TLS hello
      "\r\n\r\n"};
  for (const std::string& request : requests) {
    const std::string answer = Ask(request);
    EXPECT_TRUE(answer.rfind("HTTP/1.1 400", 0) == 0 || answer.rfind("HTTP/1.1 413", 0) == 0)
        << request << "\n-> " << answer;
    EXPECT_EQ(answer.find("(open)"), std::string::npos) << request;
  }
}

// Also one that ends in pieces: Beast's reader of chunks ends the program over it.
TEST_F(Hostile, ChunksAre411) {
  const std::string head =
      "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"0\r\n\r\n", "-1\r\n", "ffffffffffffffffffff\r\n"})
    EXPECT_THAT(Ask(head + chunks), StartsWith("HTTP/1.1 411")) << chunks;
  RawPeer slow(port());
  slow.Send(head + "0\r\n");
  std::this_thread::sleep_for(Milliseconds(50));
  slow.Send("\r");
  EXPECT_THAT(slow.ReadAll(), StartsWith("HTTP/1.1 411"));
}

TEST_F(Hostile, AHeaderBeyondEightKilobytesIs431) {
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Ask("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(Hostile, AnEndlessHeaderIsCut) {
  RawPeer peer(port());
  peer.Send("GET /metrics HTTP/1.1\r\n");
  std::size_t sent = 0;
  const std::string line = "A: " + std::string(1000, 'a') + "\r\n";
  while (sent < 100u * 1024 * 1024 && peer.Send(line)) sent += line.size();
  EXPECT_LT(sent, 8u * 1024 * 1024);  // what the two kernels buffer
}

TEST_F(Hostile, ALargeBodyIs413AndCut) {
  const std::string head = "POST /metrics HTTP/1.1\r\nHost: x\r\n";
  EXPECT_THAT(Ask(head + "Content-Length: 70000\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  RawPeer peer(port());
  peer.Send(head + "Content-Length: 200000000\r\n\r\n");
  std::size_t sent = 0;
  const std::string piece(65536, 'b');
  while (sent < 200'000'000u && peer.Send(piece)) sent += piece.size();
  EXPECT_LT(sent, 16u * 1024 * 1024);
  RawPeer chunked(port());
  chunked.Send(head + "Transfer-Encoding: chunked\r\n\r\n");
  sent = 0;
  while (sent < 200'000'000u && chunked.Send("10000\r\n" + piece + "\r\n")) sent += piece.size();
  EXPECT_LT(sent, 16u * 1024 * 1024);
}

TEST_F(Hostile, TraversalAndForeignTargetsAre404) {
  for (const char* target : {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/metrics%2f..",
                             "/%00", "http://evil.example/metrics", "*", "/./metrics"}) {
    EXPECT_THAT(Ask(Get(target)), StartsWith("HTTP/1.1 404")) << target;
  }
}

TEST_F(Hostile, OtherMethodsAre405WithWhatIsAllowed) {
  const std::string answer =
      Ask("DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

class Slow : public Hostile {
 protected:
  Slow() : Hostile(Milliseconds(300), 16) {}
};

TEST_F(Slow, HalfOpenHeadersAreClosed) {
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(std::make_unique<RawPeer>(port()));
    peers.back()->Send("GET /metrics HTTP/1.1\r\nA: ");
  }
  for (const auto& peer : peers) EXPECT_EQ(peer->ReadAll(), "");
}

// A byte now and then does not extend the deadline.
TEST_F(Slow, TricklingDoesNotHelp) {
  RawPeer peer(port());
  const TimePoint began = SystemClock().Now().mono;
  bool open = true;
  while (open && SystemClock().Now().mono - began < Seconds(8)) {
    pollfd wait{peer.descriptor(), POLLIN, 0};
    open = peer.Send("a") && poll(&wait, 1, 20) == 0;
  }
  EXPECT_FALSE(open);
  EXPECT_LT(SystemClock().Now().mono - began, Seconds(5));
}

TEST_F(Slow, AnIdleKeptConnectionIsClosed) {
  RawPeer peer(port());
  peer.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(peer.ReadAll().find("(open)"), std::string::npos);
}

TEST_F(Slow, ConnectionsBeyondTheLimitAreClosedAndTheOtherDoorStaysOpen) {
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(std::make_unique<RawPeer>(port()));
  EXPECT_TRUE(
      ApiClient(running_.options.socket_path).Get("/api/v1/clusters", running_.Soon()).ok());
  for (const auto& peer : peers) EXPECT_EQ(peer->ReadAll(), "");
}

// One that asks for much and reads nothing holds neither the other clients nor its place.
TEST(ApiServer, APeerThatDoesNotReadDelaysNobody) {
  Running running;
  running.options.write_deadline = Milliseconds(500);
  ApiSources sources = running.Sources();
  sources.metrics = [] { return std::string(8u * 1024 * 1024, 'm'); };
  running.server = std::move(*ApiServer::Start(running.options, std::move(sources)));
  RawPeer deaf(running.server->tcp_port());
  deaf.Send(Get("/metrics"));
  const TimePoint began = SystemClock().Now().mono;
  EXPECT_THAT(RawPeer(running.server->tcp_port()).Ask(Get("/healthz")), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(SystemClock().Now().mono - began, Milliseconds(400));
  pollfd hung_up{deaf.descriptor(), POLLRDHUP, 0};
  EXPECT_EQ(poll(&hung_up, 1, 10000), 1);
}

}  // namespace
}  // namespace pandora_ha
