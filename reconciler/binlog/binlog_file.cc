#include "reconciler/binlog/binlog_file.h"

#include <boost/crc.hpp>
#include <filesystem>
#include <utility>

namespace pandora_ha {
namespace {

constexpr std::string_view kMagic =
    "\xfe"
    "bin";
constexpr std::string_view kEncryptedMagic =
    "\xfd"
    "bin";
constexpr std::uint64_t kHeader = 19;
constexpr std::uint64_t kChecksum = 4;
constexpr std::uint64_t kIgnorable = 0x80;
constexpr std::uint64_t kVersionText = 50;

// REQUIRES: the body holds its checksum.
bool ChecksumFits(std::string_view header, std::string_view body) {
  const std::string_view covered = body.substr(0, body.size() - kChecksum);
  boost::crc_32_type sum;
  sum.process_bytes(header.data(), header.size());
  sum.process_bytes(covered.data(), covered.size());
  return sum.checksum() == Cursor(body.substr(covered.size())).Little(4);
}

}  // namespace

Error BinlogFile::Broken(const std::string& what) const {
  return {ErrorCode::kInvalid, path_ + " at " + std::to_string(position_) + ": " + what};
}

Result<BinlogFile> BinlogFile::Open(const std::string& path) {
  BinlogFile file;
  file.path_ = path;
  std::error_code failed;
  file.size_ = std::filesystem::file_size(path, failed);
  file.file_.open(path, std::ios::binary);
  if (failed || !file.file_)
    return Error{ErrorCode::kNotFound, "cannot open the binary log " + path};
  PHA_ASSIGN_OR_RETURN(const std::string magic, file.Read(std::min(file.size_, kMagic.size())));
  if (magic == kEncryptedMagic)
    return Error{ErrorCode::kUnsupported, path + " is encrypted, and cannot be read from outside"};
  if (magic != kMagic) return file.Broken("this is no binary log");
  return file;
}

Result<std::string> BinlogFile::Read(std::uint64_t bytes) {
  std::string read(static_cast<std::size_t>(bytes), '\0');
  if (!file_.read(read.data(), static_cast<std::streamsize>(bytes)))
    return Error{ErrorCode::kIo, "cannot read " + path_ + " at " + std::to_string(position_)};
  position_ += bytes;
  return read;
}

// The event that describes the format ends with the kind of its own checksum.
Status BinlogFile::ReadFormat(const std::string& event) {
  Cursor body(event);
  const std::uint64_t version = body.Little(2);
  const std::string_view text = body.Take(kVersionText);
  if (version != 4 || body.Failed()) return Broken("format " + std::to_string(version));
  format_.server_version = text.substr(0, text.find('\0'));
  // Both families have written checksums since 5.6 and 5.3.
  if (body.Left() < kChecksum + 1) return Broken("a short header");
  const auto kind = static_cast<unsigned char>(event[event.size() - kChecksum - 1]);
  if (kind > 1) return Broken("checksums of an unknown kind");
  format_.checksums = kind == 1;
  return Ok();
}

Result<std::optional<BinlogEvent>> BinlogFile::Next() {
  const std::uint64_t left = size_ - position_;
  if (left == 0 || torn_) return std::optional<BinlogEvent>();
  if (left < kHeader) {
    torn_ = true;
    return std::optional<BinlogEvent>();
  }
  PHA_ASSIGN_OR_RETURN(const std::string start, Read(kHeader));
  Cursor header(start);
  BinlogEvent event;
  event.timestamp = static_cast<std::uint32_t>(header.Little(4));
  event.type = static_cast<EventType>(header.Little(1));
  event.server_id = static_cast<std::uint32_t>(header.Little(4));
  const std::uint64_t length = header.Little(4);
  header.Skip(4);  // where the next one begins
  event.ignorable = (header.Little(2) & kIgnorable) != 0;
  if (length < kHeader) return Broken("an event of " + std::to_string(length) + " bytes");
  if (length > left) {
    position_ -= kHeader;
    torn_ = true;
    return std::optional<BinlogEvent>();
  }
  PHA_ASSIGN_OR_RETURN(event.body, Read(length - kHeader));
  if (event.type == EventType::kFormatDescription) {
    // Its own checksum does not cover the mark of a file that is open.
    PHA_TRY(ReadFormat(event.body));
    return std::optional(std::move(event));
  }
  if (format_.checksums) {
    if (event.body.size() < kChecksum) return Broken("an event without its checksum");
    if (!ChecksumFits(start, event.body)) return Broken("the checksum of an event is wrong");
    event.body.resize(event.body.size() - kChecksum);
  }
  return std::optional(std::move(event));
}

}  // namespace pandora_ha
