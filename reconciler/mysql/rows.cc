#include "reconciler/mysql/rows.h"

#include <strings.h>

#include <charconv>

namespace pandora_ha {
namespace {

bool SameWord(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

const Cell* RowReader::Find(std::string_view column) const {
  for (std::size_t i = 0; i < rows_->columns.size(); ++i) {
    if (SameWord(rows_->columns[i], column)) return &rows_->cells[row_][i];
  }
  return nullptr;
}

const Cell& RowReader::Get(std::string_view column) const {
  static const Cell kNull;
  const Cell* found = Find(column);
  return found == nullptr ? kNull : *found;
}

std::optional<std::int64_t> RowReader::Number(std::string_view column) const {
  const Cell& cell = Get(column);
  if (!cell) return std::nullopt;
  std::int64_t number = 0;
  const char* end = cell->data() + cell->size();
  const auto [stop, error] = std::from_chars(cell->data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

bool RowReader::True(std::string_view column) const {
  const Cell& cell = Get(column);
  return cell && (*cell == "1" || SameWord(*cell, "ON") || SameWord(*cell, "YES"));
}

}  // namespace pandora_ha
