#include "reconciler/base/random.h"

#include <sys/random.h>

namespace pandora_ha {

std::string RandomPassword() {
  // 64 characters: every byte maps to one without bias.
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  unsigned char bytes[32];
  if (getentropy(bytes, sizeof bytes) != 0) __builtin_trap();  // fails only on a kernel without it
  std::string text;
  for (const unsigned char byte : bytes) text += kAlphabet[byte % 64];
  return text;
}

}  // namespace pandora_ha
