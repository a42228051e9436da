// A binary log from a hostile server: any events, of either family.
#include "reconciler/binlog/account.h"
#include "reconciler/binlog/history.h"
#include "tests/fuzz/fuzz.h"

namespace pandora_ha {
namespace {

using fuzz::Bytes;
using fuzz::Law;

// Events are drawn and not parsed from a file: a file's checksums would keep the fuzzer out.
BinlogEvent Draw(Bytes* bytes) {
  static constexpr EventType kTypes[] = {
      EventType::kGtid,      EventType::kMariaGtid,    EventType::kTableMap,
      EventType::kWriteRows, EventType::kUpdateRowsV1, EventType::kDeleteRows,
      EventType::kQuery,     EventType::kXid,          EventType::kWriteRowsV1,
  };
  BinlogEvent event;
  const unsigned pick = bytes->Below(10);
  event.type = pick < 9 ? kTypes[pick] : static_cast<EventType>(bytes->Below(256));
  event.server_id = 1;
  for (unsigned left = bytes->Below(120); left > 0; --left)
    event.body += static_cast<char>(bytes->Below(256));
  return event;
}

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  fuzz::Bytes bytes(data, size);
  const Flavor flavor = bytes.Below(2) == 0 ? Flavor::kMariaDb : Flavor::kMySql;
  Accountant accountant({{}, std::nullopt}, "pandora");
  HistoryReader reader(flavor, accountant);
  std::uint64_t commits = 0;
  for (unsigned events = bytes.Below(40); events > 0; --events) {
    const BinlogEvent event = Draw(&bytes);
    commits += event.type == EventType::kXid || event.type == EventType::kQuery ||
                       event.type == EventType::kXaPrepare
                   ? 1
                   : 0;
    if (!reader.Take(event).ok()) break;
  }
  const Divergence sum = accountant.Sum();
  fuzz::Law(sum.transactions <= commits, "only what is committed counts");
  fuzz::Law(sum.marks <= sum.transactions, "a mark is a transaction");
  fuzz::Law(sum.tables.size() <= Divergence::kMostTables, "what people read is bounded");
  fuzz::Law(sum.statements.size() <= Divergence::kMostStatements, "and so are statements");
  return 0;
}
