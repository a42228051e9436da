#include "reconciler/api/server.h"

#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <set>
#include <thread>

#include "reconciler/api/unix_socket.h"
#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;
using ErrorNumber = boost::system::error_code;

struct Shared {
  ApiServerOptions options;
  Answers answers;
  // Looked up once: a directory service that hangs must not hold the server.
  std::string own_user;
};

// The answer to a request that could not be read; 0: the peer is gone or too slow, say nothing.
int StatusOfUnreadable(const ErrorNumber& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

// One connection. Keeps itself alive by the handler that waits; the stream's own timer ends it.
template <class Protocol>
class Session : public std::enable_shared_from_this<Session<Protocol>> {
 public:
  Session(typename Protocol::socket socket, const Shared& shared, Audience audience,
          std::string user, int* open)
      : stream_(std::move(socket)),
        shared_(shared),
        audience_(audience),
        user_(std::move(user)),
        open_(open) {
    ++*open_;
  }
  ~Session() { --*open_; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    stream_.expires_after(shared_.options.read_deadline);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](ErrorNumber error, std::size_t) {
                       error ? self->Refuse(error) : self->Reply();
                     });
  }

 private:
  void Refuse(const ErrorNumber& error) {
    const int status = StatusOfUnreadable(error);
    if (status == 0) return Close();
    Write(Failure(status, "The request is malformed or too large."), 11, false, false);
  }

  void Reply() {
    const auto& request = parser_->get();
    const auto method = request.method_string();
    const auto target = request.target();
    const Answer answer = shared_.answers.To(
        audience_,
        {{method.data(), method.size()}, {target.data(), target.size()}, request.body(), user_});
    Write(answer, request.version(), request.keep_alive(), request.method() == http::verb::head);
  }

  void Write(const Answer& answer, unsigned version, bool keep, bool head_only) {
    response_ = {};
    response_.version(version);
    response_.result(static_cast<unsigned>(answer.status));
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (answer.status == 405) response_.set(http::field::allow, answer.allow);
    response_.keep_alive(keep);
    response_.content_length(answer.body.size());
    if (!head_only) response_.body() = answer.body;
    serializer_.emplace(response_);
    // A peer that never reads is reset at the deadline; a mere close would leave the kernel with
    // what we could not send.
    Linger(true);
    stream_.expires_after(shared_.options.write_deadline);
    const auto done = [self = this->shared_from_this(), keep](ErrorNumber error, std::size_t) {
      if (error) return self->Close();
      self->Linger(false);
      keep ? self->Read() : self->Drain();
    };
    head_only ? http::async_write_header(stream_, *serializer_, done)
              : http::async_write(stream_, *serializer_, done);
  }

  // Closing over unread bytes resets the connection and may take our answer away with it.
  void Drain() {
    ErrorNumber ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    DrainSome(0);
  }
  void DrainSome(std::size_t drained) {
    stream_.async_read_some(asio::buffer(waste_), [self = this->shared_from_this(), drained](
                                                      ErrorNumber error, std::size_t size) {
      if (error || drained > 4 * kMostBodyBytes) return self->Close();
      self->DrainSome(drained + size);
    });
  }

  void Linger(bool reset_when_closed) {
    ErrorNumber ignored;
    stream_.socket().set_option(asio::socket_base::linger(reset_when_closed, 0), ignored);
  }

  void Close() {
    ErrorNumber ignored;
    stream_.socket().close(ignored);
  }

  beast::basic_stream<Protocol> stream_;
  const Shared& shared_;
  Audience audience_;
  const std::string user_;
  int* open_;
  // As large as one header and what comes with it: a longer header line never fits.
  beast::flat_static_buffer<2 * kMostHeaderBytes> buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::array<char, 4096> waste_{};
};

template <class Protocol>
class Door {
 public:
  Door(asio::io_context& context, const Shared& shared, Audience audience, int* open)
      : acceptor(context), pause_(context), shared_(shared), audience_(audience), open_(open) {}

  void Accept() {
    acceptor.async_accept([this](ErrorNumber error, typename Protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return Pause();
      const auto user = UserOf(socket);
      if (*open_ < shared_.options.most_connections && user) {
        std::make_shared<Session<Protocol>>(std::move(socket), shared_, audience_, *user, open_)
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
  const Shared& shared_;
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
                 "Cannot listen on " + ToString(address) + ": " + error.message() + ".",
                 error.value()};
  }
  return Ok();
}

}  // namespace

struct ApiServer::Parts {
  Parts(const ApiServerOptions& options, ApiSources sources)
      : shared{options, Answers(std::move(sources)), UserName(geteuid())} {}

  // The order matters: the context's end destroys the sessions, which use what stands above it.
  Shared shared;
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
