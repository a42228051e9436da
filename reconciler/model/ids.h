// Identities, as types that cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace pandora_ha {

// The declared name of a member (a database node, a Pandora server, a witness). A DNS label.
struct NodeName {
  std::string text;

  NodeName() = default;
  explicit NodeName(std::string name) : text(std::move(name)) {}
  auto operator<=>(const NodeName&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const NodeName& name) {
  return out << name.text;
}

// Numbers the primaries of one cluster. It grows by one with every promotion and is never reused;
// 0 means that the cluster has never had a primary.
struct Epoch {
  std::uint64_t number = 0;

  constexpr Epoch() = default;
  constexpr explicit Epoch(std::uint64_t n) : number(n) {}
  constexpr Epoch Next() const { return Epoch(number + 1); }
  constexpr auto operator<=>(const Epoch&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, Epoch epoch) {
  return out << epoch.number;
}

// The two families of servers. Percona Server is MySQL here.
enum class Flavor { kMySql, kMariaDb };

std::string_view ToString(Flavor flavor);  // "MySQL", "MariaDB"

// server_id of MySQL and MariaDB: 1 to 4294967295.
using ServerId = std::uint32_t;

// Where a server answers.
struct Address {
  std::string host;
  std::uint16_t port = 3306;

  auto operator<=>(const Address&) const = default;
};

inline std::string ToString(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace pandora_ha

template <>
struct std::hash<pandora_ha::NodeName> {
  std::size_t operator()(const pandora_ha::NodeName& name) const noexcept {
    return std::hash<std::string>{}(name.text);
  }
};
