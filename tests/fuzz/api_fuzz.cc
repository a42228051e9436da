// Any bytes at either door of the HTTP server: the real connection, over a socket pair and without
// a wait; intents reach the real Decide by dry runs.
#include <sys/socket.h>
#include <unistd.h>

#include "reconciler/api/http_session.h"
#include "reconciler/decide/invariants.h"
#include "reconciler/loop/intent_inbox.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/world.h"

namespace pandora_ha {
namespace {

using fuzz::Bytes;
using fuzz::Law;
using Local = asio::local::stream_protocol;

constexpr char kOnlyLocal[] = "told to its owner only";

Decision Would(const Snapshot& last, const Intent& intent) {
  Observation seen = last.seen;
  seen.intents = {intent};
  const Memory& memory = last.decision.memory;
  Decision decision = Decide(last.spec, seen, memory);
  for (const Violation& violation : CheckInvariants(last.spec, seen, memory, decision))
    Law(false, "no wish leads to an unsafe decision", violation.says);
  return decision;
}

// A cluster of two nodes, an inbox, and what was asked for.
struct Served {
  Noticeboard board;
  IntentInbox inbox;
  int asked = 0;

  Served() { board.Pin(std::make_shared<Snapshot>(World().Pin())); }

  ApiSources Sources() {
    return {board,
            SystemClock(),
            [] {
              return std::map<std::string, TimePoint>{{"pandora", SystemClock().Now().mono}};
            },
            [] { return std::string("pandora_ha_up 1\n"); },
            [](const std::string&, std::size_t) -> Result<std::vector<Event>> {
              Event event;
              event.message = kOnlyLocal;
              return std::vector<Event>{event};
            },
            Seconds(90),
            {[this](const std::string&, Intent intent) {
               ++asked;
               Law(intent.by == "owner", "who asks is not the asker's to say", intent.by);
               return inbox.Add(std::move(intent));
             },
             [this](const std::string&) { return inbox.All(); }, Would},
            {}};
  }
};

class Peer {
 public:
  explicit Peer(asio::io_context& context) : context_(context) {
    Law(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_) == 0,
        "there are sockets");
  }
  ~Peer() { close(ends_[0]); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  Local::socket Take() { return Local::socket(context_, Local(), ends_[1]); }
  void Send(std::string_view piece) {
    while (!piece.empty()) {
      const ssize_t sent = send(ends_[0], piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent > 0) piece.remove_prefix(static_cast<std::size_t>(sent));
      const bool cut = sent < 0 && errno != EAGAIN;
      Serve();
      if (cut) return;
    }
  }
  void End() {
    shutdown(ends_[0], SHUT_WR);
    Serve();
  }
  const std::string& answers() const { return answers_; }

 private:
  // Everything that can be done without waiting.
  void Serve() {
    char piece[65536];
    for (bool more = true; more;) {
      more = context_.poll() > 0;
      for (ssize_t got = 0; (got = recv(ends_[0], piece, sizeof piece, 0)) > 0; more = true)
        answers_.append(piece, static_cast<std::size_t>(got));
    }
  }

  asio::io_context& context_;
  int ends_[2] = {};
  std::string answers_;
};

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  Bytes bytes(data, size);
  const unsigned how = bytes.Byte();
  const Audience audience = how % 2 == 0 ? Audience::kLocal : Audience::kNetwork;
  const std::size_t piece = 1 + (how / 2) * 16;
  const std::string sent = bytes.Rest();

  Served served;
  const HttpShared shared{ApiServerOptions(), Answers(served.Sources()), "owner"};
  int open = 0;
  asio::io_context context{1};
  Peer peer(context);
  std::make_shared<HttpSession<Local>>(peer.Take(), shared, audience, "owner", &open)->Read();
  for (std::size_t at = 0; at < sent.size() && open > 0; at += piece)
    peer.Send(std::string_view(sent).substr(at, piece));
  peer.End();

  Law(open == 0, "a connection ends with its peer", sent);
  const std::string& got = peer.answers();
  Law(got.empty() || got.rfind("HTTP/1.", 0) == 0, "what is answered is HTTP", got);
  if (audience == Audience::kLocal) return 0;
  Law(served.asked == 0, "nobody of the network asks for anything", sent);
  Law(got.find(kOnlyLocal) == std::string::npos, "the network gets probes and metrics only", sent);
  return 0;
}
