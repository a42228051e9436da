#include "reconciler/app/text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "reconciler/base/environment.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

const char* SequenceOf(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      return "";
    case Colour::kGood:
      return "\x1b[32m";
    case Colour::kWarning:
      return "\x1b[33m";
    case Colour::kBad:
      return "\x1b[1;31m";
    case Colour::kFaint:
      return "\x1b[2m";
    case Colour::kHeading:
      return "\x1b[1m";
  }
  return "";
}

// The next character of UTF-8; a broken byte counts as one character.
char32_t NextCharacter(std::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc0 || length > text->size()) {
    text->remove_prefix(1);
    return first;
  }
  char32_t character = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    character = (character << 6) | (static_cast<unsigned char>((*text)[i]) & 0x3fu);
  }
  text->remove_prefix(length);
  return character;
}

std::size_t WidthOf(char32_t c) {
  using Range = std::pair<char32_t, char32_t>;
  static constexpr std::array<Range, 4> none = {
      Range{0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}, {0x20d0, 0x20ff}};
  static constexpr std::array<Range, 8> wide = {
      Range{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},
      {0xf900, 0xfaff},      {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0x1f300, 0x3fffd}};
  const auto within = [c](const Range& r) { return c >= r.first && c <= r.second; };
  if (std::any_of(none.begin(), none.end(), within)) return 0;
  return std::any_of(wide.begin(), wide.end(), within) ? 2 : 1;
}

bool IsPlainYaml(const std::string& text) {
  static constexpr std::string_view safe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./ ()";
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  if (text.empty() || !letter(text.front()) || text.back() == ' ') return false;
  if (text.find_first_not_of(safe) != std::string::npos) return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  static const std::array<std::string_view, 9> words = {"true", "false", "yes", "no", "on",
                                                        "off",  "null",  "y",   "n"};
  return std::find(words.begin(), words.end(), lower) == words.end();
}

// A JSON text is YAML's double-quoted form, but for characters YAML does not print.
std::string YamlScalar(const json& value) {
  if (!value.is_string()) return PrintJson(value);
  if (IsPlainYaml(value.get<std::string>())) return value.get<std::string>();
  std::string out;
  for (const char c : PrintJson(value)) c == '\x7f' ? out += "\\x7F" : out += c;
  return out;
}

void WriteYaml(const json& value, std::size_t indent, std::string* out) {
  const auto write = [&](const std::string& head, const json& child) {
    *out += std::string(indent, ' ') + head;
    if (!child.is_structured()) {
      *out += " " + YamlScalar(child) + "\n";
    } else if (child.empty()) {
      *out += child.is_object() ? " {}\n" : " []\n";
    } else {
      *out += "\n";
      WriteYaml(child, indent + 2, out);
    }
  };
  if (value.is_object()) {
    for (const auto& [key, child] : value.items()) write(YamlScalar(json(key)) + ":", child);
  } else {
    for (const json& child : value) write("-", child);
  }
}

}  // namespace

std::string Style::operator()(Colour colour, std::string_view text) const {
  if (!coloured || colour == Colour::kNone || text.empty()) return std::string(text);
  return SequenceOf(colour) + std::string(text) + "\x1b[0m";
}

Style StyleFor(int descriptor) {
  return {isatty(descriptor) == 1 && GetEnvironment("NO_COLOR").value_or("").empty()};
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += WidthOf(NextCharacter(&text));
  return width;
}

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t c = NextCharacter(&text);
    const bool steers = c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e);
    if (c == '\n' || c == '\r' || c == '\t') {
      out += ' ';
    } else if (steers) {
      out += '?';
    } else {
      out += before.substr(0, before.size() - text.size());
    }
  }
  return out;
}

std::string TextOf(const json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  if (found == object.end()) return "";
  if (found->is_string()) return Printable(found->get<std::string>());
  return found->is_number() ? PrintJson(*found) : "";
}

std::string Table::Print(const Style& style, const std::string& indent) const {
  std::vector<std::size_t> widths;
  for (const std::string& name : heading_) widths.push_back(DisplayWidth(name));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
  }
  const auto line = [&](const std::vector<Cell>& row) {
    std::string out = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += style(row[i].colour, row[i].text);
      if (i + 1 < row.size()) out += std::string(widths[i] - DisplayWidth(row[i].text) + 2, ' ');
    }
    return out + "\n";
  };
  std::vector<Cell> heading;
  for (const std::string& name : heading_) heading.push_back({name, Colour::kFaint});
  std::string out = line(heading);
  for (const auto& row : rows_) out += line(row);
  return out;
}

std::optional<WallTime> ReadMoment(std::string text) {
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  const std::string whole = "0000-00-00T00:00:00.000";
  for (const std::size_t length : {10u, 16u, 19u}) {
    if (text.size() == length) text += whole.substr(length);
  }
  WallTime moment;
  if (!ParseWallTime(text + "Z", &moment)) return std::nullopt;
  return moment;
}

std::string ToYaml(const json& value) {
  if (!value.is_structured() || value.empty()) return PrintJson(value) + "\n";
  std::string out;
  WriteYaml(value, 0, &out);
  return out;
}

}  // namespace pandora_ha
