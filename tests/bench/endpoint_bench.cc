// What the writer endpoint costs: endpoint_bench [FILE.json]
//
// Client, forwarder and echo server are three processes, as in real life. Every round trip of 100
// bytes is measured three ways in alternating batches of one run: direct; through the least that
// any forwarder must do (one poll loop, one session); through the endpoint. Then 2,000 sessions at
// once.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <csignal>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "reconciler/publish/endpoint.h"
#include "tests/bench/report.h"
#include "tests/publish/peers.h"

namespace pandora_ha {
namespace {

using bench::At;
using bench::kNone;
using bench::Row;
using bench::Sample;
using test::EchoServer;
using test::Peer;

constexpr int kBatches = 300;
constexpr int kRoundTripsPerBatch = 100;
constexpr std::size_t kMessage = 100;
constexpr std::size_t kSessions = 2000;
constexpr double kGoalMicroseconds = 30;

// The project's clock counts microseconds; a round trip is a few of them.
double NowMicroseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// A process of its own that does `work` with its end of a socket pair, and ends with us.
class Child {
 public:
  explicit Child(const std::function<void(Peer&)>& work) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      Peer control(ends[1]);
      const timeval forever{0, 0};
      setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
      work(control);
      _exit(0);
    }
    ::close(ends[1]);
    control_ = Peer(ends[0]);
  }
  ~Child() {
    control_.Close();
    waitpid(pid_, nullptr, 0);
  }
  template <class T>
  T Read() {
    T value{};
    const std::string bytes = control_.Receive(sizeof value);
    if (bytes.size() != sizeof value) std::abort();
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&value));
    return value;
  }
  template <class T>
  T Ask(char question) {
    control_.Send(std::string_view(&question, 1));
    return Read<T>();
  }
  double RssMegabytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
  }

 private:
  pid_t pid_ = -1;
  Peer control_;
};

template <class T>
void Tell(Peer& control, T value) {
  control.Send(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

void ServeEcho(Peer& control) {
  AllowOpenFiles(3 * kSessions);
  const EchoServer server('A');
  Tell(control, server.address().port);
  control.WaitForEnd();
}

// The floor: what no forwarder can avoid.
void ForwardMinimally(Peer& control, std::uint16_t server_port) {
  test::Port port;
  port.Listen();
  Tell(control, port.address().port);
  Peer client = port.Accept();
  Peer server = Peer::ConnectTo({"127.0.0.1", server_port});
  TuneStream(client.fd());
  TuneStream(server.fd());
  pollfd ready[2] = {{client.fd(), POLLIN, 0}, {server.fd(), POLLIN, 0}};
  char chunk[65536];
  for (;;) {
    poll(ready, 2, -1);
    for (int i = 0; i < 2; ++i) {
      if (ready[i].revents == 0) continue;
      const ssize_t got = recv(ready[i].fd, chunk, sizeof chunk, 0);
      if (got <= 0) return;
      send(ready[1 - i].fd, chunk, static_cast<std::size_t>(got), MSG_NOSIGNAL);
    }
  }
}

// 'P': publishes the other of two servers and answers how long that took (µs). 'W': withdraws. 'R':
// publishes, and answers when that began.
void RunEndpoint(Peer& control, std::uint16_t first, std::uint16_t second) {
  EndpointOptions options;
  options.listen = {"127.0.0.1", 0};
  auto endpoint = std::move(*Endpoint::Start(options, SystemClock()));
  std::uint64_t epoch = 0;
  const auto publish = [&] {
    ++epoch;
    const bool odd = epoch % 2 != 0;
    const double start = NowMicroseconds();
    const Status done = endpoint->Publish(
        {NodeName(odd ? "node1" : "node2"), {"127.0.0.1", odd ? first : second}, Epoch(epoch)});
    if (!done.ok()) std::abort();
    return start;
  };
  publish();
  Tell(control, endpoint->listen().port);
  for (std::string question; (question = control.Receive(1)).size() == 1;) {
    double answer = 0;
    if (question == "W") {
      if (!endpoint->Withdraw().ok()) std::abort();
    } else {
      answer = publish();
      if (question == "P") answer = NowMicroseconds() - answer;
    }
    Tell(control, answer);
  }
}

Peer Greeted(std::uint16_t port) {
  Peer peer = Peer::ConnectTo({"127.0.0.1", port});
  if (!peer.open()) std::abort();
  TuneStream(peer.fd());
  if (peer.Receive(1) != "A") std::abort();
  return peer;
}

void RoundTrips(Peer& peer, const std::string& message, int count, Sample* out) {
  for (int i = 0; i < count; ++i) {
    const double start = NowMicroseconds();
    peer.Send(message);
    if (peer.Receive(message.size()).size() != message.size()) std::abort();
    out->push_back(NowMicroseconds() - start);
  }
}

// One session; returns the rows of round trips and of bulk.
void MeasureOneSession(std::uint16_t direct, std::uint16_t minimal, std::uint16_t through,
                       std::vector<Row>* rows) {
  Peer peers[3] = {Greeted(direct), Greeted(minimal), Greeted(through)};
  const auto alternate = [&](std::size_t size, int batches, int per_batch) {
    std::vector<Sample> samples(3);
    Sample warm_up;
    for (auto& peer : peers) RoundTrips(peer, std::string(size, 'x'), per_batch, &warm_up);
    for (int batch = 0; batch < batches; ++batch) {
      for (int way = 0; way < 3; ++way) {
        // Each batch begins with another way, so that no way always follows the same neighbour.
        const auto turn = static_cast<std::size_t>((way + batch) % 3);
        RoundTrips(peers[turn], std::string(size, 'x'), per_batch, &samples[turn]);
      }
    }
    return samples;
  };
  const auto trips = alternate(kMessage, kBatches, kRoundTripsPerBatch);
  for (const double quantile : {0.5, 0.95, 0.99}) {
    const std::string suffix = "_p" + std::to_string(static_cast<int>(quantile * 100 + 0.5));
    const double floor = At(trips[0], quantile);
    rows->push_back({"round_trip_endpoint" + suffix, "us", At(trips[2], quantile), floor,
                     trips[2].size(), At(trips[2], 0.95)});
    rows->push_back({"round_trip_minimal_forwarder" + suffix, "us", At(trips[1], quantile), floor,
                     trips[1].size(), At(trips[1], 0.95)});
    rows->push_back({"added_by_endpoint" + suffix, "us", At(trips[2], quantile) - floor,
                     At(trips[1], quantile) - floor, trips[2].size(), kNone});
  }
  constexpr std::size_t kBulk = 65536;
  const auto bulk = alternate(kBulk, 50, 20);
  const auto megabytes_per_second = [&](const Sample& sample) {
    return 2 * kBulk / At(sample, 0.5);
  };
  rows->push_back({"bulk_64k_echo", "MB/s", megabytes_per_second(bulk[2]),
                   megabytes_per_second(bulk[0]), bulk[2].size(), kNone});
}

// Round trips per second with one request always under way in every session.
double Drive(std::vector<Peer>& peers, Duration how_long) {
  const Descriptor poller(epoll_create1(EPOLL_CLOEXEC));
  const std::string message(kMessage, 'x');
  for (std::size_t i = 0; i < peers.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(poller.get(), EPOLL_CTL_ADD, peers[i].fd(), &event);
    peers[i].Send(message);
  }
  std::uint64_t done = 0;
  const double start = NowMicroseconds();
  const Deadline deadline(SystemClock(), how_long);
  std::size_t under_way = peers.size();
  while (under_way > 0) {
    epoll_event events[256];
    const int count = epoll_wait(poller.get(), events, 256, 5000);
    if (count <= 0) std::abort();
    for (int i = 0; i < count; ++i) {
      Peer& peer = peers[events[i].data.u64];
      if (peer.Receive(kMessage).size() != kMessage) std::abort();
      ++done;
      if (deadline.passed()) {
        --under_way;
      } else {
        peer.Send(message);
      }
    }
  }
  return static_cast<double>(done) / (NowMicroseconds() - start) * 1e6;
}

void MeasureManySessions(std::uint16_t direct, std::uint16_t through, Child& endpoint,
                         std::vector<Row>* rows) {
  const double before = endpoint.RssMegabytes();
  std::vector<Peer> direct_peers, peers;
  const double start = NowMicroseconds();
  for (std::size_t i = 0; i < kSessions; ++i) peers.push_back(Greeted(through));
  const double opened = NowMicroseconds();
  for (std::size_t i = 0; i < kSessions; ++i) direct_peers.push_back(Greeted(direct));
  const double opened_direct = NowMicroseconds();
  const double n = kSessions;
  rows->push_back({"open_a_session", "us", (opened - start) / n, (opened_direct - opened) / n,
                   kSessions, kNone});
  rows->push_back({"rss_idle", "MB", before, kNone, 1, kNone});
  rows->push_back({"rss_2000_sessions", "MB", endpoint.RssMegabytes(), kNone, 1, kNone});
  Sample rates, direct_rates;
  for (int round = 0; round < 3; ++round) {
    direct_rates.push_back(Drive(direct_peers, Seconds(1)));
    rates.push_back(Drive(peers, Seconds(1)));
  }
  rows->push_back({"round_trips_2000_sessions", "1/s", At(rates, 0.5), At(direct_rates, 0.5),
                   rates.size(), kNone});
  rows->push_back(
      {"rss_2000_sessions_after_traffic", "MB", endpoint.RssMegabytes(), kNone, 1, kNone});
  const double cut = endpoint.Ask<double>('P');
  for (auto& peer : peers) {
    if (peer.WaitForEnd() != Peer::End::kReset) std::abort();
  }
  rows->push_back({"publish_cutting_2000_sessions", "us", cut, kNone, 1, kNone});
}

// From the beginning of Publish() to the server's greeting in a client that waited for it.
void MeasureRelease(std::uint16_t through, Child& endpoint, std::vector<Row>* rows) {
  Sample released, published;
  for (int i = 0; i < 200; ++i) {
    endpoint.Ask<double>('W');
    Peer client = Peer::ConnectTo({"127.0.0.1", through});
    poll(nullptr, 0, 2);  // it must be waiting, not arriving
    char question = 'R';
    double greeted = 0;
    std::thread reader([&] {
      client.Receive(1);
      greeted = NowMicroseconds();
    });
    const double began = endpoint.Ask<double>(question);
    reader.join();
    released.push_back(greeted - began);
    published.push_back(endpoint.Ask<double>('P'));
  }
  rows->push_back({"publish_to_greeting_of_a_held_client", "us", At(released, 0.5), kNone,
                   released.size(), At(released, 0.95)});
  rows->push_back(
      {"publish_call", "us", At(published, 0.5), kNone, published.size(), At(published, 0.95)});
}

int Main(const std::string& file) {
  AllowOpenFiles(5 * kSessions);
  Child first(ServeEcho), second(ServeEcho);
  const auto port = first.Read<std::uint16_t>();
  const auto other = second.Read<std::uint16_t>();
  Child minimal([port](Peer& control) { ForwardMinimally(control, port); });
  Child endpoint([port, other](Peer& control) { RunEndpoint(control, port, other); });
  const auto minimal_port = minimal.Read<std::uint16_t>();
  const auto through = endpoint.Read<std::uint16_t>();

  std::vector<Row> rows;
  MeasureOneSession(port, minimal_port, through, &rows);
  const double added = rows[2].value;
  MeasureManySessions(port, through, endpoint, &rows);
  MeasureRelease(through, endpoint, &rows);
  for (Row& row : rows) row.flavor = "tcp";
  bench::Print(rows);
  std::printf(
      "\nadded per round trip at p50: %.1f us; goal: at most %.0f us: %s; a forwarder that does "
      "nothing "
      "else adds %.1f us here\n",
      added, kGoalMicroseconds, added <= kGoalMicroseconds ? "met" : "MISSED", rows[2].floor);
  return bench::WriteJson(file, rows) ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha

int main(int argc, char** argv) {
  return pandora_ha::Main(argc > 1 ? argv[1] : PANDORA_HA_BENCH_DIR "/endpoint.json");
}
