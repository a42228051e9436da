// One seeded generator (splitmix64): the same seed gives the same schedule on every machine.
#pragma once

#include <cstdint>

namespace pandora_ha::simulation {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  // No chance at all: what is likelier happens, and of a range the highest.
  static Random Certain() {
    Random random(0);
    random.certain_ = true;
    return random;
  }

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ull;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // 0 … n-1. REQUIRES: n > 0
  int Below(int n) {
    return certain_ ? n - 1 : static_cast<int>(Next() % static_cast<std::uint64_t>(n));
  }
  int Between(int low, int high) { return low + Below(high - low + 1); }
  bool Chance(int percent) { return certain_ ? percent >= 50 : Below(100) < percent; }

 private:
  std::uint64_t state_;
  bool certain_ = false;
};

}  // namespace pandora_ha::simulation
