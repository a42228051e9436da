// The events of one binary log file, as bytes.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/binlog/cursor.h"

namespace pandora_ha {

// The servers' own numbers (Log_event_type). Others are skipped.
enum class EventType : std::uint8_t {
  kQuery = 2,
  kStop = 3,
  kRotate = 4,
  kFormatDescription = 15,
  kXid = 16,
  kBeginLoadQuery = 17,
  kExecuteLoadQuery = 18,
  kTableMap = 19,
  kWriteRowsV1 = 23,
  kUpdateRowsV1 = 24,
  kDeleteRowsV1 = 25,
  kIncident = 26,
  kWriteRows = 30,
  kUpdateRows = 31,
  kDeleteRows = 32,
  kGtid = 33,
  kAnonymousGtid = 34,
  kPreviousGtids = 35,
  kXaPrepare = 38,
  kPartialUpdateRows = 39,
  kTransactionPayload = 40,
  kTaggedGtid = 42,
  kMariaGtid = 162,
  kMariaGtidList = 163,
  kMariaStartEncryption = 164,
  kMariaQueryCompressed = 165,
  kMariaRowsCompressedFirst = 166,
  kMariaRowsCompressedLast = 171,
};

struct BinlogEvent {
  EventType type{};
  std::uint32_t timestamp = 0;  // seconds of UTC, when the statement began
  std::uint32_t server_id = 0;
  bool ignorable = false;  // its writer says that a reader may pass over it
  std::string body;        // without header and checksum
};

// What the first event of a file says about all others.
struct BinlogFormat {
  std::string server_version;
  bool checksums = false;
};

// Reads one file from its beginning to the end that it has when it is opened. A server may go on
// appending. An event that is not whole at the end is what a crash leaves: the file ends before it.
class BinlogFile {
 public:
  // kNotFound, kIo; kUnsupported when it is encrypted; kInvalid when it is no binary log.
  static Result<BinlogFile> Open(const std::string& path);

  // Nothing at the end. kInvalid when a checksum is wrong or a length cannot be: what follows
  // cannot be read.
  Result<std::optional<BinlogEvent>> Next();

  // The file ended with an event that is not whole.
  bool torn() const { return torn_; }
  const BinlogFormat& format() const { return format_; }
  std::uint64_t position() const { return position_; }

 private:
  BinlogFile() = default;
  Result<std::string> Read(std::uint64_t bytes);
  Status ReadFormat(const std::string& event);
  Error Broken(const std::string& what) const;

  std::string path_;
  std::ifstream file_;
  std::uint64_t size_ = 0, position_ = 0;
  BinlogFormat format_;
  bool torn_ = false;
};

}  // namespace pandora_ha
