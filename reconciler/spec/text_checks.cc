#include "reconciler/spec/text_checks.h"

#include <algorithm>
#include <cstdio>

#include "reconciler/spec/yaml_reader.h"

namespace pandora_ha {
namespace {

// Length of the well-formed UTF-8 character that begins here; 0: none does.
std::size_t CharacterLength(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || rest.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond Unicode.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

bool IsForbidden(unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
}

std::string Hexadecimal(unsigned char byte) {
  char text[8];
  std::snprintf(text, sizeof text, "0x%02X", static_cast<unsigned>(byte));
  return text;
}

}  // namespace

LineIndex::LineIndex(std::string_view text) : text_(text), starts_{0} {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool lone_return = text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n');
    if (text[i] == '\n' || lone_return) starts_.push_back(i + 1);
  }
}

Position LineIndex::At(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const std::size_t start = *(next - 1);
  const auto characters =
      std::count_if(text_.begin() + static_cast<std::ptrdiff_t>(start),
                    text_.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return {static_cast<int>(next - starts_.begin()), static_cast<int>(characters) + 1};
}

std::optional<Position> LineIndex::TabUpTo(int line) const {
  const std::size_t last = std::min(starts_.size(), static_cast<std::size_t>(std::max(line, 0)));
  for (std::size_t i = 0; i < last; ++i) {
    const std::size_t text = text_.find_first_not_of(' ', starts_[i]);
    if (text != std::string_view::npos && text_[text] == '\t') return At(text);
  }
  return std::nullopt;
}

std::size_t ByteOrderMark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
}

std::optional<Problem> CheckText(const std::string& file, std::string_view text) {
  const auto problem = [&](Position at, std::string message) {
    return Problem{file, at, "", std::move(message), ""};
  };
  if (text.size() > kMaxDocumentBytes) {
    return problem({}, "the file has " + std::to_string(text.size()) + " bytes; at most " +
                           std::to_string(kMaxDocumentBytes) + " are read; is it the right file?");
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return problem({1, 1}, "the file is in UTF-16; save it as UTF-8");
  }
  const LineIndex lines(text);
  for (std::size_t i = ByteOrderMark(text); i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = CharacterLength(text.substr(i));
    if (length == 0) {
      return problem(lines.At(i),
                     "byte " + Hexadecimal(byte) + " is not UTF-8; save the file as UTF-8");
    }
    if (IsForbidden(byte)) {
      return problem(lines.At(i), "control character " + Hexadecimal(byte) +
                                      " is not allowed in YAML; remove it");
    }
    i += length;
  }
  return std::nullopt;
}

}  // namespace pandora_ha
