// One connection of the HTTP server, from its bytes to the answer's. Of this folder, and of the
// fuzzer, which runs it over a socket pair without a server, a thread or a wait.
#pragma once

#include <array>
#include <utility>  // boost/asio/awaitable.hpp needs it and does not say so

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <string>

#include "reconciler/api/answers.h"
#include "reconciler/api/server.h"

namespace pandora_ha {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using ErrorNumber = boost::system::error_code;

// What all connections share; outlives them.
struct HttpShared {
  ApiServerOptions options;
  Answers answers;
  // Looked up once: a directory service that hangs must not hold the server.
  std::string own_user;
};

// The answer to a request that could not be read; 0: the peer is gone or too slow, say nothing.
inline int StatusOfUnreadable(const ErrorNumber& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == make_error_code(http::error::bad_method).category() ? 400 : 0;
}

// One connection. Keeps itself alive by the handler that waits; the stream's own timer ends it.
template <class Protocol>
class HttpSession : public std::enable_shared_from_this<HttpSession<Protocol>> {
 public:
  HttpSession(typename Protocol::socket socket, const HttpShared& shared, Audience audience,
              std::string user, int* open)
      : stream_(std::move(socket)),
        shared_(shared),
        audience_(audience),
        user_(std::move(user)),
        open_(open) {
    ++*open_;
  }
  ~HttpSession() { --*open_; }
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(kMostBodyBytes);
    stream_.expires_after(shared_.options.read_deadline);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](ErrorNumber error, std::size_t) {
                              error ? self->Refuse(error) : self->ReadBody();
                            });
  }

 private:
  // A body comes with its length or not at all: no client of ours chunks one, and Beast's reader of
  // chunks asserts on a last chunk that arrives in pieces, which would end the program.
  void ReadBody() {
    if (parser_->chunked())
      return Write(Failure(411, "A body needs a Content-Length; chunks are not read."), 11, false,
                   parser_->get().method() == http::verb::head);
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](ErrorNumber error, std::size_t) {
                       error ? self->Refuse(error) : self->Reply();
                     });
  }

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
  const HttpShared& shared_;
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

}  // namespace pandora_ha
