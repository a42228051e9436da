// Text for people: aligned tables, colours where they are wanted, YAML.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/clock.h"

namespace pandora_ha {

enum class Colour { kNone, kGood, kWarning, kBad, kFaint, kHeading };

// Whether texts carry escape sequences.
struct Style {
  bool coloured = false;

  std::string operator()(Colour colour, std::string_view text) const;
};

// Colours for a terminal on `descriptor`, unless NO_COLOR is set.
Style StyleFor(int descriptor);

// Columns that a terminal gives the text: double for wide characters, none for combining ones.
std::size_t DisplayWidth(std::string_view text);

// Bytes that would steer a terminal (a server's message may hold any) become '?', line breaks a
// blank.
std::string Printable(std::string_view text);

// The member's text, Printable; "" when it is missing or no text. Numbers are printed.
std::string TextOf(const nlohmann::json& object, const char* key);

class Table {
 public:
  struct Cell {
    std::string text;
    Colour colour = Colour::kNone;
  };

  explicit Table(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  // Columns two blanks apart, none behind the last one.
  std::string Print(const Style& style, const std::string& indent = "") const;

 private:
  std::vector<std::string> heading_;
  std::vector<std::vector<Cell>> rows_;
};

// A moment in UTC as people write it: "2026-11-22", "2026-11-22 17:03", "2026-11-22T17:03:01Z",
// with milliseconds at most. Nothing on anything else.
std::optional<WallTime> ReadMoment(std::string text);

// One YAML document; strings that YAML would read as something else are quoted.
std::string ToYaml(const nlohmann::json& value);

}  // namespace pandora_ha
