// "HOST:PORT" as the document writes it.
#pragma once

#include <charconv>
#include <optional>
#include <string>

#include "reconciler/model/ids.h"

namespace pandora_ha {

// "127.0.0.1:3306", "[::1]:3306"; nothing for any other text.
inline std::optional<Address> ParseHostPort(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  Address address;
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, address.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || address.host.empty()) return std::nullopt;
  return address;
}

}  // namespace pandora_ha
