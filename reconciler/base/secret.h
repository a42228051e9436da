// A value that is never shown by accident.
#pragma once

#include <string>
#include <utility>

namespace pandora_ha {

// Holds a password. It has no operator<<, no formatter and no JSON form; whoever needs the text
// says Reveal(), which makes every such place easy to find.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  const std::string& Reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

}  // namespace pandora_ha
