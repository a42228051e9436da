// What the writer endpoint does with bytes, with clients that wait and with too many of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconciler/publish/endpoint.h"
#include "tests/publish/peers.h"

namespace pandora_ha {
namespace {

using test::EchoServer;
using test::Peer;
using test::Port;
using test::WaitUntil;

EndpointOptions Options() {
  EndpointOptions options;
  options.listen = {"127.0.0.1", 0};
  return options;
}

std::unique_ptr<Endpoint> Started(const EndpointOptions& options = Options()) {
  auto endpoint = Endpoint::Start(options, SystemClock());
  EXPECT_TRUE(endpoint.ok()) << (endpoint.ok() ? "" : endpoint.error().message);
  return endpoint.ok() ? std::move(*endpoint) : nullptr;
}

PublishedPrimary Primary(const Address& address, std::uint64_t epoch = 1,
                         const char* node = "node1") {
  return {NodeName(node), address, Epoch(epoch)};
}

std::string Pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 2654435761u) >> 13);
  return out;
}

struct ErrPacket {
  unsigned number = 0;
  std::string message;
};

// The packet's header must be right to the byte.
ErrPacket Decode(const std::string& packet) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(packet[i]); };
  EXPECT_GE(packet.size(), 8u);
  if (packet.size() < 8) return {};
  EXPECT_EQ(byte(0) + (byte(1) << 8) + (byte(2) << 16), static_cast<int>(packet.size() - 4));
  EXPECT_EQ(byte(3), 0);
  EXPECT_EQ(byte(4), 0xff);
  return {byte(5) + 256u * byte(6), packet.substr(7)};
}

TEST(EndpointForward, CarriesTenMegabytesEachWayPastASlowReader) {
  Port port;
  port.Listen();
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  Peer client = Peer::ConnectTo(endpoint->listen(), 4096);
  Peer server = port.Accept();
  ASSERT_TRUE(server.Send("G"));
  ASSERT_EQ(client.Receive(1), "G");

  const std::string up = Pattern(10'000'000);
  const std::string down = Pattern(10'000'001);
  // Nobody reads yet: both writers must come to a stop, whatever the endpoint has of memory.
  std::atomic<std::size_t> finished{0};
  std::thread write_down([&] {
    EXPECT_TRUE(server.Send(down));
    ++finished;
  });
  std::thread write_up([&] {
    EXPECT_TRUE(client.Send(up));
    ++finished;
  });
  std::uint64_t before = 0;
  ASSERT_TRUE(WaitUntil([&] {  // until nothing moves any more
    const auto now = endpoint->Statistics();
    const bool still = now.bytes_to_clients + now.bytes_from_clients == before && before > 0;
    before = now.bytes_to_clients + now.bytes_from_clients;
    poll(nullptr, 0, 20);
    return still;
  }));
  EXPECT_LT(endpoint->Statistics().bytes_to_clients, down.size());

  std::string got_up;
  std::thread read_up([&] { got_up = server.Receive(up.size()); });
  std::string got_down;
  while (got_down.size() < down.size()) {
    const std::string part =
        client.Receive(std::min<std::size_t>(100'000, down.size() - got_down.size()));
    ASSERT_FALSE(part.empty());
    got_down += part;
  }
  for (auto* thread : {&write_down, &write_up, &read_up}) thread->join();
  EXPECT_EQ(finished, 2u);
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
  EXPECT_EQ(endpoint->Statistics().bytes_to_clients, down.size() + 1);
  EXPECT_EQ(endpoint->Statistics().bytes_from_clients, up.size());
}

TEST(EndpointForward, KeepsTheOtherDirectionOfAHalfClosedSession) {
  Port port;
  port.Listen();
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  Peer client = Peer::ConnectTo(endpoint->listen());
  Peer server = port.Accept();
  ASSERT_TRUE(server.Send("G"));
  ASSERT_EQ(client.Receive(1), "G");

  ASSERT_TRUE(client.Send("last words"));
  client.FinishSending();
  std::string heard;
  EXPECT_EQ(server.WaitForEnd(&heard), Peer::End::kFin);
  EXPECT_EQ(heard, "last words");
  EXPECT_EQ(endpoint->Statistics().sessions_now, 1u);
  ASSERT_TRUE(server.Send("answer"));
  EXPECT_EQ(client.Receive(6), "answer");
  server.Close();
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kFin);
  EXPECT_TRUE(WaitUntil([&] { return endpoint->Statistics().sessions_now == 0; }));
  EXPECT_EQ(endpoint->Statistics().sessions_cut, 0u);
}

TEST(EndpointForward, PassesAResetOn) {
  Port port;
  port.Listen();
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  Peer client = Peer::ConnectTo(endpoint->listen());
  Peer server = port.Accept();
  ASSERT_TRUE(server.Send("G"));
  ASSERT_EQ(client.Receive(1), "G");
  ResetOnClose(server.fd());
  server.Close();
  EXPECT_EQ(client.WaitForEnd(), Peer::End::kReset);
}

TEST(EndpointForward, CarriesTwoThousandSessionsAtOnce) {
  AllowOpenFiles(9000);
  EchoServer server('A');
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(server.address())).ok());
  std::vector<Peer> clients;
  for (int i = 0; i < 2000; ++i) {
    clients.push_back(Peer::ConnectTo(endpoint->listen()));
    ASSERT_TRUE(clients.back().open()) << i;
  }
  for (auto& client : clients) ASSERT_EQ(client.Receive(1), "A");
  EXPECT_EQ(endpoint->Statistics().sessions_now, 2000u);
  for (std::size_t i = 0; i < clients.size(); ++i)
    ASSERT_TRUE(clients[i].Send("hello " + std::to_string(i)));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const std::string expected = "hello " + std::to_string(i);
    ASSERT_EQ(clients[i].Receive(expected.size()), expected);
  }
  clients.clear();
  EXPECT_TRUE(WaitUntil([&] { return endpoint->Statistics().sessions_now == 0; }));
  EXPECT_TRUE(WaitUntil([&] { return server.connections() == 0; }));
}

TEST(EndpointLimits, RefusesTheSessionThatIsTooMany) {
  EchoServer server('A');
  EndpointOptions options = Options();
  options.max_sessions = 2;
  const auto endpoint = Started(options);
  ASSERT_TRUE(endpoint->Publish(Primary(server.address())).ok());
  Peer first = Peer::ConnectTo(endpoint->listen());
  Peer second = Peer::ConnectTo(endpoint->listen());
  ASSERT_EQ(first.Receive(1), "A");
  ASSERT_EQ(second.Receive(1), "A");
  Peer third = Peer::ConnectTo(endpoint->listen());
  std::string packet;
  EXPECT_EQ(third.WaitForEnd(&packet), Peer::End::kFin);
  const ErrPacket err = Decode(packet);
  EXPECT_EQ(err.number, 1040u);
  EXPECT_THAT(err.message, testing::HasSubstr("Pandora HA"));
  EXPECT_EQ(endpoint->Statistics().refused, 1u);

  first.Close();
  ASSERT_TRUE(WaitUntil([&] { return endpoint->Statistics().sessions_now == 1; }));
  EXPECT_EQ(Peer::ConnectTo(endpoint->listen()).Receive(1), "A");
}

// After a failover every client of before comes back at once and must be held, not turned away.
TEST(EndpointLimits, HoldsAsManyAsItForwarded) {
  EchoServer first('A'), second('B');
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(first.address())).ok());
  constexpr std::size_t kClients = 2000;
  const auto connect = [&] {
    std::vector<Peer> clients;
    for (std::size_t i = 0; i < kClients; ++i)
      clients.push_back(Peer::ConnectTo(endpoint->listen()));
    return clients;
  };
  std::vector<Peer> clients = connect();
  for (auto& client : clients) ASSERT_EQ(client.Receive(1), "A");
  ASSERT_TRUE(endpoint->Withdraw().ok());
  for (auto& client : clients) ASSERT_NE(client.WaitForEnd(), Peer::End::kTimeout);
  clients.clear();
  clients = connect();
  ASSERT_TRUE(WaitUntil([&] { return endpoint->Statistics().held_now == kClients; }));
  EXPECT_EQ(endpoint->Statistics().refused, 0u);
  ASSERT_TRUE(endpoint->Publish(Primary(second.address(), 2, "node2")).ok());
  for (auto& client : clients) ASSERT_EQ(client.Receive(1), "B");
}

TEST(EndpointLimits, ThoseThatWaitAreCountedToo) {
  EndpointOptions options = Options();
  options.max_sessions = 1;
  const auto endpoint = Started(options);
  Peer first = Peer::ConnectTo(endpoint->listen());
  ASSERT_TRUE(WaitUntil([&] { return endpoint->Statistics().held_now == 1; }));
  Peer second = Peer::ConnectTo(endpoint->listen());
  std::string packet;
  EXPECT_EQ(second.WaitForEnd(&packet), Peer::End::kFin);
  EXPECT_EQ(Decode(packet).number, 1040u);
  EXPECT_FALSE(first.HasInput());
}

TEST(EndpointHold, TellsTheClientWhenItsTimeIsUp) {
  EndpointOptions options = Options();
  options.hold = Milliseconds(100);
  const auto endpoint = Started(options);
  const TimePoint start = SystemClock().Now().mono;
  Peer client = Peer::ConnectTo(endpoint->listen());
  std::string packet;
  EXPECT_EQ(client.WaitForEnd(&packet), Peer::End::kFin);
  EXPECT_GE(SystemClock().Now().mono - start, Milliseconds(99));
  const ErrPacket err = Decode(packet);
  EXPECT_EQ(err.number, 1053u);
  EXPECT_EQ(err.message, "Pandora HA: no primary within 100 ms; see pandora-ha explain");
  EXPECT_EQ(endpoint->Statistics().held_expired, 1u);
  EXPECT_EQ(endpoint->Statistics().held_now, 0u);
}

TEST(EndpointHold, EndsForAServerThatNeverGreets) {
  Port port;  // the kernel takes the connection, nobody answers: a frozen server
  port.Listen();
  EndpointOptions options = Options();
  options.hold = Milliseconds(100);
  const auto endpoint = Started(options);
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  Peer client = Peer::ConnectTo(endpoint->listen());
  std::string packet;
  EXPECT_EQ(client.WaitForEnd(&packet), Peer::End::kFin);
  EXPECT_EQ(Decode(packet).number, 1053u);
}

TEST(EndpointHold, ForgetsAClientThatLeaves) {
  const auto endpoint = Started();
  Peer client = Peer::ConnectTo(endpoint->listen());
  ASSERT_TRUE(WaitUntil([&] { return endpoint->Statistics().held_now == 1; }));
  client.Close();
  EXPECT_TRUE(WaitUntil([&] { return endpoint->Statistics().held_now == 0; }));
}

TEST(EndpointHold, WaitsForAServerThatRefusesConnections) {
  Port port;  // bound and not listening: refused
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  std::vector<Peer> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(Peer::ConnectTo(endpoint->listen()));
  ASSERT_TRUE(WaitUntil([&] { return endpoint->Statistics().failed_connects >= 3; }));
  for (auto& client : clients) EXPECT_FALSE(client.HasInput());
  port.Listen();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    Peer server = port.Accept();
    ASSERT_TRUE(server.open()) << i;
    ASSERT_TRUE(server.Send("G"));
    server.Close();
  }
  for (auto& client : clients) EXPECT_EQ(client.Receive(1), "G");
}

TEST(EndpointHold, TakesBackAClientWhoseServerDiesBeforeItsGreeting) {
  Port port;
  port.Listen();
  const auto endpoint = Started();
  ASSERT_TRUE(endpoint->Publish(Primary(port.address())).ok());
  Peer client = Peer::ConnectTo(endpoint->listen());
  ASSERT_TRUE(client.Send("early words"));
  for (int dying = 0; dying < 3; ++dying) {
    Peer server = port.Accept();
    ASSERT_TRUE(server.open());
    if (dying == 1) ResetOnClose(server.fd());
    server.Close();
  }
  Peer server = port.Accept();
  ASSERT_TRUE(server.Send("G"));
  EXPECT_EQ(client.Receive(1), "G");
  EXPECT_EQ(server.Receive(11), "early words");
  EXPECT_EQ(endpoint->Statistics().failed_connects, 3u);
  EXPECT_EQ(endpoint->Statistics().sessions_total, 1u);
}

TEST(EndpointStart, RefusesAnAddressInUseAndAName) {
  const auto endpoint = Started();
  EndpointOptions options = Options();
  options.listen = endpoint->listen();
  const auto second = Endpoint::Start(options, SystemClock());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  options.listen = {"no-address.invalid", 0};
  const auto named = Endpoint::Start(options, SystemClock());
  ASSERT_FALSE(named.ok());
  EXPECT_EQ(named.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace pandora_ha
