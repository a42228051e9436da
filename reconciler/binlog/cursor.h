// Reads numbers and texts from bytes that nobody vouches for.
#pragma once

#include <cstdint>
#include <string_view>

namespace pandora_ha {

// A read beyond the end gives 0 or nothing, and so does every later one: ask Failed() once, when
// all is read. The bytes must outlive the cursor and what it gives.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  bool Failed() const { return failed_; }
  std::size_t Left() const { return rest_.size(); }
  std::string_view Rest() const { return rest_; }

  std::string_view Take(std::uint64_t count);
  void Skip(std::uint64_t count) { Take(count); }
  // Of 1 to 8 bytes, the least or the most significant first.
  std::uint64_t Little(int bytes);
  std::uint64_t Big(int bytes);
  // The length-encoded integer of MySQL's protocol: 1, 3, 4 or 9 bytes.
  std::uint64_t Packed();

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace pandora_ha
