// The checks of a text that come before any parser sees it, and its lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/spec/problem.h"

namespace pandora_ha {

// Turns byte offsets into lines and columns. Holds a view: the text must outlive it.
class LineIndex {
 public:
  explicit LineIndex(std::string_view text);

  // An offset behind the end gives the end.
  Position At(std::size_t offset) const;
  // The first line at or before `line` whose indentation has a tab.
  std::optional<Position> TabUpTo(int line) const;

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

// The reason why this text cannot be a document at all: size, encoding, control characters. A
// leading byte order mark is fine.
std::optional<Problem> CheckText(const std::string& file, std::string_view text);

// The bytes of a UTF-8 byte order mark at the beginning: 0 or 3.
std::size_t ByteOrderMark(std::string_view text);

}  // namespace pandora_ha
