#include "reconciler/spec/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "reconciler/base/environment.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kMaxSecretBytes = 1024;

class File {
 public:
  // Not blocking: a named pipe without a writer would hang the daemon.
  explicit File(const std::string& path)
      : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (number_ >= 0) close(number_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int number() const { return number_; }

 private:
  int number_;
};

Error OpenError(const std::string& path, int number) {
  const std::string text = "password file " + path + ": " + std::strerror(number);
  if (number == ENOENT || number == ENOTDIR)
    return {ErrorCode::kNotFound, text + "; create it, or correct passwordFrom.file", number};
  if (number == EACCES)
    return {ErrorCode::kDenied, text + "; give the daemon's user read access", number};
  return {ErrorCode::kIo, text, number};
}

Status CheckSecret(const std::string& text, const std::string& what) {
  if (text.empty())
    return Error{ErrorCode::kInvalid, what + " is empty; write the password into it"};
  if (text.size() > kMaxSecretBytes) {
    return Error{ErrorCode::kInvalid, what + " has more than " + std::to_string(kMaxSecretBytes) +
                                          " bytes; is it the right one?"};
  }
  if (text.find('\0') != std::string::npos)
    return Error{ErrorCode::kInvalid, what + " holds a NUL byte; is it the right one?"};
  return Ok();
}

// The mode is that of the opened file: a path could point elsewhere a moment later.
Status CheckMode(const File& file, const std::string& path) {
  struct stat state {};
  if (fstat(file.number(), &state) != 0) return OpenError(path, errno);
  if (!S_ISREG(state.st_mode))
    return Error{ErrorCode::kInvalid, "password file " + path + " is not a regular file"};
  if ((state.st_mode & 0007) != 0) {
    return Error{
        ErrorCode::kRefused,
        "password file " + path + " is open to every user of this machine; run: chmod o= " + path};
  }
  return Ok();
}

Result<Secret> FromFile(const std::string& path) {
  const File file(path);
  if (file.number() < 0) return OpenError(path, errno);
  PHA_TRY(CheckMode(file, path));
  std::array<char, kMaxSecretBytes + 2> buffer;
  std::string text;
  ssize_t got = 0;
  while (text.size() <= kMaxSecretBytes &&
         (got = read(file.number(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (got < 0) return OpenError(path, errno);
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  PHA_TRY(CheckSecret(text, "the first line of password file " + path));
  return Secret(std::move(text));
}

Result<Secret> FromEnvironment(const std::string& name) {
  auto value = GetEnvironment(name);
  if (!value) {
    return Error{ErrorCode::kNotFound,
                 "environment variable " + name +
                     " is not set for the daemon; set it, or use passwordFrom.file"};
  }
  PHA_TRY(CheckSecret(*value, "environment variable " + name));
  return Secret(*std::move(value));
}

}  // namespace

Result<Secret> ResolveSecret(const SecretSource& source) {
  if (!source.file.empty()) return FromFile(source.file);
  if (!source.environment.empty()) return FromEnvironment(source.environment);
  if (!source.secret_name.empty()) {
    return Error{ErrorCode::kUnsupported,
                 "Secret " + source.secret_name +
                     " can be read on Kubernetes only; use passwordFrom.file or env"};
  }
  return Error{ErrorCode::kInvalid,
               "the document says nowhere where this password is; set passwordFrom.file or env"};
}

}  // namespace pandora_ha
