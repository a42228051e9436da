#include "reconciler/spec/scalars.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pandora_ha {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool AllOf(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

// Takes digits off the front; false when there is none.
bool TakeDigits(std::string_view* rest) {
  const std::size_t end = std::min(rest->find_first_not_of("0123456789"), rest->size());
  rest->remove_prefix(end);
  return end > 0;
}

// -?(0|[1-9][0-9]*)
bool IsInteger(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return AllOf(text, "0123456789") && (text.size() == 1 || text.front() != '0');
}

// A number with a fraction or an exponent, in the wide sense of all YAML readers.
bool IsFloat(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
  const bool whole = TakeDigits(&text);
  bool fraction = false, point = false;
  if (text.starts_with('.')) {
    point = true;
    text.remove_prefix(1);
    fraction = TakeDigits(&text);
  }
  if (!whole && !fraction) return false;
  if (text.empty()) return point;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return TakeDigits(&text) && text.empty();
}

// 0x1F 0o17 0b1 0123 +5 1_000 1:30: a number for some readers, another number or text for others.
bool IsDisputedNumber(std::string_view text) {
  const bool is_signed = text.starts_with('-') || text.starts_with('+');
  if (is_signed) text.remove_prefix(1);
  if (text.empty() || !IsDigit(text.front())) return false;
  const std::string_view prefix = text.substr(0, 2);
  if (prefix == "0x" || prefix == "0X") return AllOf(text.substr(2), "0123456789abcdefABCDEF_");
  if (prefix == "0o" || prefix == "0O") return AllOf(text.substr(2), "01234567_");
  if (prefix == "0b" || prefix == "0B") return AllOf(text.substr(2), "01_");
  if (AllOf(text, "0123456789_")) return true;
  if (AllOf(text, "0123456789_.") && std::count(text.begin(), text.end(), '.') == 1) return true;
  // Base 60: every part after the first has one or two digits.
  if (!AllOf(text, "0123456789:") || text.find(':') == std::string_view::npos) return false;
  std::size_t digits = 0;
  for (std::size_t i = text.find(':'); i < text.size(); ++i) {
    digits = text[i] == ':' ? 0 : digits + 1;
    if (digits > 2 || (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ':')))
      return false;
  }
  return true;
}

template <std::size_t N>
bool IsOneOf(const std::string& text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

PlainScalar ResolvePlain(const std::string& text) {
  static constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 6> kBoolean = {"true",  "True",  "TRUE",
                                                               "false", "False", "FALSE"};
  static constexpr std::array<std::string_view, 8> kYes = {"y",   "Y",  "yes", "Yes",
                                                           "YES", "on", "On",  "ON"};
  static constexpr std::array<std::string_view, 8> kNo = {"n",  "N",   "no",  "No",
                                                          "NO", "off", "Off", "OFF"};
  static constexpr std::array<std::string_view, 3> kNan = {".nan", ".NaN", ".NAN"};
  if (IsOneOf(text, kNull)) return {NodeKind::kNull, ""};
  if (IsOneOf(text, kBoolean)) return {NodeKind::kBoolean, ""};
  if (IsOneOf(text, kYes))
    return {NodeKind::kUnusable,
            "write true if the field is a truth value, \"" + text + "\" if it is text"};
  if (IsOneOf(text, kNo))
    return {NodeKind::kUnusable,
            "write false if the field is a truth value, \"" + text + "\" if it is text"};
  if (IsInteger(text)) return {NodeKind::kInteger, ""};
  if (IsOneOf(text, kNan)) return {NodeKind::kFloat, ""};
  // An exponent without a point is a float to us and a whole number to an API server.
  if (IsFloat(text)) {
    const bool disputed = text.starts_with('+') || text.find_first_of("eE") != std::string::npos;
    if (disputed) return {NodeKind::kUnusable, "write the number in plain digits"};
    return {NodeKind::kFloat, ""};
  }
  if (IsDisputedNumber(text)) {
    return {NodeKind::kUnusable,
            "write a number in plain digits without leading zeros, or put the text in quotes: \"" +
                text + "\""};
  }
  if (text == "<<") return {NodeKind::kUnusable, "put the text in quotes: \"<<\""};
  return {NodeKind::kString, ""};
}

}  // namespace pandora_ha
