// What a statement gave back: text, read by column name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pandora_ha {

// None: SQL NULL.
using Cell = std::optional<std::string>;

struct Rows {
  std::vector<std::string> columns;      // empty for a statement without a result
  std::vector<std::vector<Cell>> cells;  // row, column
  std::uint64_t matched = 0;             // rows that an UPDATE matched or an INSERT wrote

  bool empty() const { return cells.empty(); }
  std::size_t size() const { return cells.size(); }
};

// One row by column name, whatever order and letter case the server's version prints. A column that
// is not there reads as NULL: versions add and drop columns, and both mean "not told".
class RowReader {
 public:
  RowReader(const Rows& rows, std::size_t row) : rows_(&rows), row_(row) {}

  bool Has(std::string_view column) const { return Find(column) != nullptr; }
  const Cell& Get(std::string_view column) const;
  // Empty for NULL.
  std::string Text(std::string_view column) const { return Get(column).value_or(""); }
  // None for NULL and for anything but a decimal number that fits.
  std::optional<std::int64_t> Number(std::string_view column) const;
  // True for "1", "ON", "YES", in any letter case; NULL is false.
  bool True(std::string_view column) const;

 private:
  const Cell* Find(std::string_view column) const;

  const Rows* rows_;
  std::size_t row_;
};

}  // namespace pandora_ha
