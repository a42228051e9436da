#include "reconciler/mysql/relay_page.h"

#include <charconv>
#include <cstdint>
#include <limits>

namespace pandora_ha {

std::string NextRelayFile(const std::string& file) {
  const std::size_t dot = file.rfind('.');
  if (dot == std::string::npos) return "";
  std::uint32_t number = 0;
  const char* const end = file.data() + file.size();
  const auto [stop, error] = std::from_chars(file.data() + dot + 1, end, number);
  if (error != std::errc() || stop != end || number == std::numeric_limits<std::uint32_t>::max())
    return "";
  std::string next = std::to_string(number + 1);
  const std::size_t width = file.size() - dot - 1;
  if (next.size() < width) next.insert(0, width - next.size(), '0');
  return file.substr(0, dot + 1) + next;
}

void AddRelayPage(const Rows& rows, const std::string& file, const GtidSet& executed,
                  RelayTail* tail) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const RowReader row(rows, i);
    if (row.Text("Event_type") != "Gtid") continue;
    // The event before "GTID 0-1-8" may say BEGIN.
    const std::string info = row.Text("Info");
    const std::size_t word = info.find("GTID ");
    if (word == std::string::npos) continue;
    const std::string name = info.substr(word + 5, info.find(' ', word + 5) - word - 5);
    const auto gtid = GtidSet::Parse(Flavor::kMariaDb, name);
    if (!gtid) continue;
    tail->holds = tail->holds.Union(*gtid);
    if (!tail->first_unapplied && !executed.Contains(*gtid)) {
      tail->first_unapplied = RelayPlace{file, row.Number("Pos").value_or(kFirstRelayPosition)};
    }
  }
}

}  // namespace pandora_ha
