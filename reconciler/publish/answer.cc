#include "reconciler/publish/answer.h"

#include <algorithm>
#include <cstring>

namespace pandora_ha {
namespace {

constexpr std::size_t kHeader = 4;  // length (3 bytes), sequence number
// An answer that is longer and has not come to its end is a result on its way; shorter ones may end
// in a way that is not recognised.
constexpr std::size_t kLongAnswer = 16 * 1024;
constexpr unsigned char kPrepare = 0x16, kSendLongData = 0x18, kCloseStatement = 0x19;
constexpr unsigned char kOk = 0x00, kEof = 0xfe, kErr = 0xff, kLocalInfile = 0xfb;
constexpr std::uint16_t kInTransaction = 0x0001, kMoreResults = 0x0008;
constexpr std::uint16_t kProgressReport = 0xffff;  // MariaDB: an ERR packet that is none

unsigned At(std::string_view data, std::size_t i) {
  return static_cast<unsigned char>(data[i]);
}

std::uint16_t Two(std::string_view data, std::size_t i) {
  return static_cast<std::uint16_t>(At(data, i) | At(data, i + 1) << 8);
}

std::size_t Length(std::string_view header) {
  return At(header, 0) | At(header, 1) << 8 | At(header, 2) << 16;
}

// Past a length-encoded number; beyond any packet when it is none.
std::size_t Skip(std::string_view data, std::size_t i) {
  if (i >= data.size()) return data.size();
  switch (At(data, i)) {
    case 0xfc:
      return i + 3;
    case 0xfd:
      return i + 4;
    case 0xfe:
      return i + 9;
    case 0xfb:
    case 0xff:
      return data.size();
    default:
      return i + 1;
  }
}

// `payload` begins with the OK packet's first byte and may be cut off after the status.
std::optional<std::uint16_t> StatusOfOk(std::string_view payload) {
  const std::size_t at = Skip(payload, Skip(payload, 1));
  if (at + 2 > payload.size()) return std::nullopt;
  return Two(payload, at);
}

bool IsTls(std::string_view head) {
  return head.size() >= 3 && At(head, 0) >= 0x14 && At(head, 0) <= 0x17 && At(head, 1) == 0x03 &&
         At(head, 2) <= 0x04;
}

}  // namespace

// Only when it is all that came: with a command behind it, an answer will follow.
bool Answer::IsNeverAnswered(std::string_view data) const {
  if (!authenticated_ || data.size() <= kHeader || data.size() != kHeader + Length(data))
    return false;
  const unsigned command = At(data, kHeader);
  return command == kSendLongData || command == kCloseStatement;
}

void Answer::ClientSaid(std::string_view data) {
  if (size_ == 0) return;  // goes on with what it began
  if (IsNeverAnswered(data)) return;
  if (const auto status = LastStatus()) {
    transaction_ = (*status & kInTransaction) != 0;
    authenticated_ = authenticated_ || introduced_;
  }
  introduced_ = true;
  command_ = data.size() > kHeader ? static_cast<unsigned char>(data[kHeader]) : 0;
  size_ = 0;
}

void Answer::ServerSaid(std::string_view data) {
  if (size_ < head_.size()) {
    const std::size_t count = std::min(head_.size() - size_, data.size());
    std::memcpy(head_.data() + size_, data.data(), count);
  }
  const std::size_t count = std::min(tail_.size(), data.size());
  std::memmove(tail_.data(), tail_.data() + count, tail_.size() - count);
  std::memcpy(tail_.data() + tail_.size() - count, data.data() + data.size() - count, count);
  size_ += data.size();
}

std::string_view Answer::head() const {
  return {head_.data(), std::min(size_, head_.size())};
}

std::string_view Answer::tail() const {
  const std::size_t count = std::min(size_, tail_.size());
  return {tail_.data() + tail_.size() - count, count};
}

bool Answer::IsOnePacket() const {
  return size_ > kHeader && size_ == kHeader + Length(head());
}

// Of the packet that ends the answer; nothing when it does not end with OK or EOF.
std::optional<Answer::Status> Answer::LastStatus() const {
  if (IsOnePacket() && At(head(), kHeader) == kOk && command_ != kPrepare) {
    return StatusOfOk(head().substr(kHeader));
  }
  const std::string_view end = tail();
  // EOF: warnings, status.
  constexpr std::size_t kEofPayload = 5;
  if (end.size() >= kHeader + kEofPayload) {
    const std::string_view last = end.substr(end.size() - kHeader - kEofPayload);
    if (Length(last) == kEofPayload && At(last, kHeader) == kEof) return Two(last, kHeader + 3);
  }
  // OK in place of EOF: two zeros, status, warnings. After the authentication's last word it comes
  // with OK's own first byte; in rows that would be a row.
  constexpr std::size_t kOkPayload = 7;
  if (end.size() >= kHeader + kOkPayload) {
    const std::string_view last = end.substr(end.size() - kHeader - kOkPayload);
    const unsigned first = At(last, kHeader);
    const bool ok = first == kEof || (first == kOk && introduced_ && !authenticated_);
    if (Length(last) == kOkPayload && ok) return StatusOfOk(last.substr(kHeader));
  }
  return std::nullopt;
}

Answer::Place Answer::Now() const {
  if (size_ == 0) return Place::kBusy;
  if (IsTls(head())) return At(head(), 0) == 0x17 ? Place::kHidden : Place::kUnclear;
  if (!introduced_) return Place::kUnclear;
  if (const auto status = LastStatus()) {
    if ((*status & (kInTransaction | kMoreResults)) != 0) return Place::kBusy;
    return authenticated_ ? Place::kBetween : Place::kUnclear;
  }
  if (!IsOnePacket()) return size_ > kLongAnswer ? Place::kBusy : Place::kUnclear;
  const unsigned first = At(head(), kHeader);
  if (first == kLocalInfile) return Place::kBusy;
  const bool err =
      first == kErr && size_ >= kHeader + 3 && Two(head(), kHeader + 1) != kProgressReport;
  if (!err || !authenticated_) return Place::kUnclear;
  return transaction_ ? Place::kBusy : Place::kBetween;
}

}  // namespace pandora_ha
