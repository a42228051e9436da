#include "reconciler/api/server.h"

#include <unistd.h>

#include <thread>

#include "reconciler/api/http_session.h"
#include "reconciler/api/unix_socket.h"
#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

template <class Protocol>
class Door {
 public:
  Door(asio::io_context& context, const HttpShared& shared, Audience audience, int* open)
      : acceptor(context), pause_(context), shared_(shared), audience_(audience), open_(open) {}

  void Accept() {
    acceptor.async_accept([this](ErrorNumber error, typename Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return Pause();
      const auto user = UserOf(socket);
      if (*open_ < shared_.options.most_connections && user) {
        std::make_shared<HttpSession<Protocol>>(std::move(socket), shared_, audience_, *user, open_)
            ->Read();
      }
      Accept();
    });
  }

  typename Protocol::acceptor acceptor;

 private:
  // Empty: anybody of the network. Nothing: not to be served.
  std::optional<std::string> UserOf(typename Protocol::socket& socket) const {
    if (audience_ == Audience::kNetwork) return "";
    const auto peer = TrustedPeer(socket.native_handle());
    if (!peer) return std::nullopt;
    return *peer == 0 ? "root" : shared_.own_user;
  }

  // Out of descriptors, most likely: the waiting connection stays in the queue, and asking again
  // at once would only burn the processor.
  void Pause() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](ErrorNumber error) {
      if (!error) Accept();
    });
  }

  asio::steady_timer pause_;
  const HttpShared& shared_;
  Audience audience_;
  int* open_;  // its connections, counted by themselves
};

Status ListenTcp(const Address& address, Tcp::acceptor* acceptor) {
  ErrorNumber error;
  const auto host = asio::ip::make_address(address.host, error);
  if (error)
    return Error{ErrorCode::kInvalid, "\"" + address.host + "\" is not an IP address to listen on.",
                 0};
  const Tcp::endpoint endpoint(host, address.port);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(128, error);
  if (error) {
    return Error{ErrorCode::kIo,
                 "Cannot listen on " + ToString(address) + ": " + error.message() +
                     ". End what listens there (`ss -ltnp` names it), or name another address "
                     "with --listen.",
                 error.value()};
  }
  return Ok();
}

}  // namespace

struct ApiServer::Parts {
  Parts(const ApiServerOptions& options, ApiSources sources)
      : shared{options, Answers(std::move(sources)), UserName(geteuid())} {}

  // The order matters: the context's end destroys the sessions, which use what stands above it.
  HttpShared shared;
  int open_local = 0, open_network = 0;
  std::optional<UnixListener> listener;
  asio::io_context context{1};
  std::optional<Door<Local>> local;
  std::optional<Door<Tcp>> network;
  std::uint16_t port = 0;
  std::thread thread;
};

ApiServer::ApiServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ApiServer::~ApiServer() {
  if (!parts_) return;
  parts_->context.stop();
  if (parts_->thread.joinable()) parts_->thread.join();
}

std::uint16_t ApiServer::tcp_port() const {
  return parts_->port;
}

Result<std::unique_ptr<ApiServer>> ApiServer::Start(const ApiServerOptions& options,
                                                    ApiSources sources) {
  auto parts = std::make_unique<Parts>(options, std::move(sources));
  Parts& p = *parts;
  if (!options.socket_path.empty()) {
    PHA_ASSIGN_OR_RETURN(UnixListener listener, UnixListener::Listen(options.socket_path));
    p.listener.emplace(std::move(listener));
    p.local.emplace(p.context, p.shared, Audience::kLocal, &p.open_local);
    p.local->acceptor.assign(Local(), p.listener->Take());
    p.local->Accept();
  }
  if (options.tcp) {
    p.network.emplace(p.context, p.shared, Audience::kNetwork, &p.open_network);
    PHA_TRY(ListenTcp(*options.tcp, &p.network->acceptor));
    p.port = p.network->acceptor.local_endpoint().port();
    p.network->Accept();
  }
  p.thread = std::thread([context = &p.context] {
    for (;;) {
      try {
        context->run();
        return;
      } catch (const std::exception& e) {
        // One question's trouble (memory) must not make the manager deaf.
        Log(LogLevel::kError, "The HTTP server met an error and goes on.", {{"error", e.what()}});
      }
    }
  });
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(parts)));
}

}  // namespace pandora_ha
