// What every fuzz target shares. A target is one function over bytes; fuzzed_main.cc runs it over
// files with any compiler, and clang's libFuzzer looks for bytes that break it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace pandora_ha::fuzz {

// Ends the run when something that must hold for every input does not.
inline void Law(bool holds, const char* says, std::string_view about = "") {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n%.*s\n", says, static_cast<int>(about.size()), about.data());
  std::abort();
}

// Bytes, taken from the front; after the end, zeros.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  unsigned Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  unsigned Below(unsigned end) { return Byte() % end; }
  // Up to `separator`, which is dropped, or all that is left.
  std::string Until(char separator) {
    const auto end = rest_.find(separator);
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return out;
  }
  std::string Rest() {
    std::string out(rest_);
    rest_ = {};
    return out;
  }

 private:
  std::string_view rest_;
};

}  // namespace pandora_ha::fuzz
