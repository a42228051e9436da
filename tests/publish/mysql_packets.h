// What a MySQL server and its client say, as bytes.
#pragma once

#include <string>

namespace pandora_ha::test {

inline std::string Packet(int sequence, const std::string& payload) {
  const std::size_t size = payload.size();
  return std::string{static_cast<char>(size & 0xff), static_cast<char>(size >> 8 & 0xff),
                     static_cast<char>(size >> 16 & 0xff), static_cast<char>(sequence)} +
         payload;
}

inline std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

constexpr int kAutocommit = 2, kInTransaction = 1, kMoreResults = 8;

inline std::string Greeting() {
  return Packet(0,
                "\x0a"
                "11.8.1" +
                    std::string(40, 'x') + "mysql_native_password" + '\0');
}
inline std::string Login() {
  return Packet(1, Bytes({0x85, 0xa6, 0x0f, 0}) + std::string(28, '\0') + "root" + '\0');
}
inline std::string OkPacket(int status = kAutocommit, int sequence = 1) {
  return Packet(sequence, Bytes({0, 0, 0, status, 0, 0, 0}));
}
inline std::string ErrPacket() {
  return Packet(1, Bytes({0xff, 0x28, 0x04}) + "#42000You have an error in your SQL syntax");
}
inline std::string Query(const std::string& sql) {
  return Packet(0, "\x03" + sql);
}
inline std::string Column(int sequence) {
  return Packet(sequence, Bytes({3}) + "def" + std::string(20, 'c'));
}
inline std::string Row(int sequence, const std::string& value) {
  return Packet(sequence, static_cast<char>(value.size()) + value);
}
inline std::string Eof(int sequence, int status = kAutocommit) {
  return Packet(sequence, Bytes({0xfe, 0, 0, status, 0}));
}
// In place of EOF with CLIENT_DEPRECATE_EOF.
inline std::string OkAtEnd(int sequence, int status = kAutocommit) {
  return Packet(sequence, Bytes({0xfe, 0, 0, status, 0, 0, 0}));
}

}  // namespace pandora_ha::test
