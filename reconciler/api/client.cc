#include "reconciler/api/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "reconciler/api/unix_socket.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

namespace http = boost::beast::http;

const std::string kHead = " HTTP/1.1\r\nHost: pandora-ha\r\nConnection: close\r\n";
constexpr std::size_t kMostAnswerBytes = 64u * 1024 * 1024;

Status Ready(int descriptor, short events, const Deadline& deadline, const std::string& path) {
  pollfd wait{descriptor, events, 0};
  while (true) {
    const int ready = poll(&wait, 1, deadline.poll_milliseconds());
    if (ready > 0) return Ok();
    if (ready == 0 || (errno == EINTR && deadline.passed())) {
      return Error{ErrorCode::kTimeout,
                   "The manager at " + path + " did not answer in time; is its machine overloaded?",
                   0};
    }
    if (errno != EINTR) return Error{ErrorCode::kIo, std::strerror(errno), errno};
  }
}

Status Send(int descriptor, std::string_view text, const Deadline& deadline,
            const std::string& path) {
  while (!text.empty()) {
    PHA_TRY(Ready(descriptor, POLLOUT, deadline, path));
    const ssize_t sent = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) {
      return Error{ErrorCode::kUnreachable,
                   "The manager at " + path + " hung up; it lets only its own user and root ask.",
                   errno};
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return Ok();
}

Result<std::string> Receive(int descriptor, const Deadline& deadline, const std::string& path) {
  std::string all;
  std::array<char, 65536> piece;
  while (all.size() <= kMostAnswerBytes) {
    PHA_TRY(Ready(descriptor, POLLIN, deadline, path));
    const ssize_t got = recv(descriptor, piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0 || (got == 0 && all.empty())) {
      return Error{ErrorCode::kUnreachable,
                   "The manager at " + path +
                       " hung up before it answered: it ended, is busy with too many connections, "
                       "or does not let this user ask (only its own and root).",
                   got < 0 ? errno : 0};
    }
    if (got == 0) return all;
    all.append(piece.data(), static_cast<std::size_t>(got));
  }
  return Error{ErrorCode::kInternal, "The answer of " + path + " is too large.", 0};
}

Result<std::string> Question(const std::string& path, const std::string& request,
                             const Deadline& deadline) {
  const auto connected = ConnectUnix(path);
  if (!connected.ok()) {
    const Error& error = connected.error();
    if (error.code == ErrorCode::kDenied) {
      return Error{ErrorCode::kDenied,
                   "This user may not ask the manager at " + path +
                       "; run the command as the user that runs pandora-ha, or as root.",
                   error.number};
    }
    if (error.code != ErrorCode::kUnreachable) return error;
    return Error{ErrorCode::kUnreachable,
                 "No manager answers at " + path +
                     "; is `pandora-ha run` running? If it uses another socket, say --socket PATH.",
                 error.number};
  }
  const Descriptor descriptor(*connected);
  PHA_TRY(Send(descriptor.get(), request, deadline, path));
  auto answer = Receive(descriptor.get(), deadline, path);
  // A wish that was handed over whole may have been taken: the outcome is unknown.
  if (answer.ok() || answer.error().code != ErrorCode::kUnreachable || !request.starts_with("POST"))
    return answer;
  return Error{ErrorCode::kTimeout, answer.error().message, answer.error().number};
}

ErrorCode CodeOf(unsigned status) {
  if (status == 404) return ErrorCode::kNotFound;
  if (status == 409) return ErrorCode::kConflict;
  if (status == 503) return ErrorCode::kUnreachable;
  return status == 400 ? ErrorCode::kInvalid : ErrorCode::kInternal;
}

}  // namespace

Result<nlohmann::json> ApiClient::Get(const std::string& target, Deadline deadline) const {
  return Ask("GET " + target + kHead + "\r\n", deadline);
}

Result<nlohmann::json> ApiClient::Post(const std::string& target, const nlohmann::json& body,
                                       Deadline deadline) const {
  const std::string text = PrintJson(body);
  return Ask("POST " + target + kHead + "Content-Type: application/json\r\nContent-Length: " +
                 std::to_string(text.size()) + "\r\n\r\n" + text,
             deadline);
}

Result<nlohmann::json> ApiClient::Ask(const std::string& request, const Deadline& deadline) const {
  PHA_ASSIGN_OR_RETURN(const std::string text, Question(path_, request, deadline));
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(kMostAnswerBytes);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(text), error);
  if (error || !parser.is_done()) {
    return Error{ErrorCode::kInternal, "What answers at " + path_ + " is not a manager.", 0};
  }
  auto document = ParseJson(parser.get().body());
  if (!document.ok()) return document.error();
  const unsigned status = parser.get().result_int();
  if (status == 200 || status == 202) return document;
  const auto says = document->is_object() ? document->find("error") : document->end();
  return Error{CodeOf(status),
               says != document->end() && says->is_string()
                   ? says->get<std::string>()
                   : "The manager answered with status " + std::to_string(status) + ".",
               static_cast<int>(status)};
}

}  // namespace pandora_ha
