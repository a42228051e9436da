#include "reconciler/binlog/cursor.h"

namespace pandora_ha {

std::string_view Cursor::Take(std::uint64_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
  rest_.remove_prefix(taken.size());
  return taken;
}

std::uint64_t Cursor::Little(int bytes) {
  const std::string_view taken = Take(static_cast<std::uint64_t>(bytes));
  std::uint64_t value = 0;
  for (std::size_t i = taken.size(); i > 0; --i)
    value = value << 8 | static_cast<unsigned char>(taken[i - 1]);
  return value;
}

std::uint64_t Cursor::Big(int bytes) {
  std::uint64_t value = 0;
  for (const char c : Take(static_cast<std::uint64_t>(bytes)))
    value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::uint64_t Cursor::Packed() {
  switch (const std::uint64_t first = Little(1)) {
    case 0xfc:
      return Little(2);
    case 0xfd:
      return Little(3);
    case 0xfe:
      return Little(8);
    case 0xfb:  // NULL, which no length can be
    case 0xff:
      Take(Left() + 1);
      return 0;
    default:
      return first;
  }
}

}  // namespace pandora_ha
