// Expected failures as values.
//
// A function that can fail for a reason its caller should handle returns Result<T> (or Status,
// which carries no value). Exceptions are for programmers' errors only; a library's exceptions are
// caught in the adapter that calls it and become an Error there.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace pandora_ha {

// What kind of failure it was, as far as a caller may want to choose by it.
enum class ErrorCode {
  kInvalid,      // the input is wrong; trying again changes nothing
  kUnreachable,  // nobody answered there, or the connection broke: says nothing about the work's
                 // outcome
  kTimeout,      // the deadline passed first: the outcome is unknown, never "it failed"
  kDenied,       // the other side answered and refused us: credentials, privileges, TLS identity
  kRefused,      // a safety rule of ours or of the server forbids it
  kNotFound,
  kConflict,     // somebody else holds or changed it
  kUnsupported,  // this server, version or substrate cannot do it
  kIo,           // a file, a directory or a process of this machine
  kInternal,     // a broken assumption; worth a bug report
};

// A failure: its kind, one sentence that says what happened, where, and what to do, and the number
// the other side gave for it (a MySQL error number or errno; 0: none).
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  int number = 0;

  bool operator==(const Error&) const = default;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok()
  const T& operator*() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T& operator*() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& operator*() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const T* operator->() const {
    assert(ok());
    return std::get_if<0>(&state_);
  }
  T* operator->() {
    assert(ok());
    return std::get_if<0>(&state_);
  }

  // REQUIRES: !ok()
  const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success or an Error, for work that gives nothing back.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    assert(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

inline Status Ok() {
  return {};
}

}  // namespace pandora_ha

// Leaves the enclosing function with the error when `expression` failed.
#define PHA_TRY(expression)                                         \
  do {                                                              \
    if (auto pha_try_result = (expression); !pha_try_result.ok()) { \
      return pha_try_result.error();                                \
    }                                                               \
  } while (false)

#define PHA_CONCAT_INNER(a, b) a##b
#define PHA_CONCAT(a, b) PHA_CONCAT_INNER(a, b)

// PHA_ASSIGN_OR_RETURN(auto x, F()): x becomes F()'s value, or the function returns F()'s error.
#define PHA_ASSIGN_OR_RETURN(declaration, expression)    \
  auto PHA_CONCAT(pha_result_, __LINE__) = (expression); \
  if (!PHA_CONCAT(pha_result_, __LINE__).ok()) {         \
    return PHA_CONCAT(pha_result_, __LINE__).error();    \
  }                                                      \
  declaration = std::move(*PHA_CONCAT(pha_result_, __LINE__))
