// Any rows of SHOW RELAYLOG EVENTS. One line of input is one row: position, type, info.
#include "reconciler/mysql/relay_page.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  using fuzz::Law;
  fuzz::Bytes bytes(data, size);
  const std::string file = bytes.Until('\n');
  const std::string next = NextRelayFile(file);
  Law(next.empty() || (next != file && next.size() >= file.size()), "the next file is another one",
      next);
  const auto executed = GtidSet::Parse(Flavor::kMariaDb, bytes.Until('\n'));
  if (!executed.ok()) return 0;
  Rows rows;
  rows.columns = {"Pos", "Event_type", "Info"};
  while (!bytes.empty()) {
    fuzz::Bytes row = [&] {
      static std::string line;
      line = bytes.Until('\n');
      return fuzz::Bytes(reinterpret_cast<const std::uint8_t*>(line.data()), line.size());
    }();
    rows.cells.push_back({row.Until('\t'), row.Until('\t'), row.Rest()});
  }
  RelayTail tail;
  AddRelayPage(rows, file, *executed, &tail);
  Law(tail.first_unapplied.has_value() == !executed->Contains(tail.holds),
      "a tail has a first unapplied transaction exactly when something is missing",
      tail.holds.ToString());
  if (tail.first_unapplied) Law(tail.first_unapplied->file == file, "it lies in this file");
  const RelayTail before = tail;
  AddRelayPage(rows, file, *executed, &tail);
  Law(tail.holds == before.holds, "a page read twice adds nothing");
  return 0;
}
