#include "reconciler/spec/problem.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>

namespace pandora_ha {
namespace {

constexpr std::size_t kShownCharacters = 60;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Edits (insert, delete, replace, swap of neighbours) that lead from one word to the other.
int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> before_last, last(b.size() + 1), current(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before_last[j - 2] + 1);
      }
    }
    before_last = std::move(last);
    last = std::move(current);
    current.assign(b.size() + 1, 0);
  }
  return last[b.size()];
}

// A name or a key may hold anything; what is printed stays one line and moves no cursor.
void AddPrintable(char c, std::string* out) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\n') {
    *out += "\\n";
  } else if (c == '\r') {
    *out += "\\r";
  } else if (c == '\t') {
    *out += "\\t";
  } else if (byte < 0x20 || byte == 0x7F) {
    *out += '?';
  } else {
    *out += c;
  }
}

}  // namespace

std::string FormatProblem(const Problem& problem) {
  std::string line = problem.file;
  if (problem.at.line > 0) {
    line += ":" + std::to_string(problem.at.line) + ":" + std::to_string(problem.at.column);
  }
  line += ": ";
  if (!problem.path.empty()) line += problem.path + ": ";
  line += problem.message;
  if (!problem.rule_id.empty()) line += " [" + problem.rule_id + "]";
  std::string printable;
  for (const char c : line) AddPrintable(c, &printable);
  return printable;
}

bool IsSensitive(std::string_view path) {
  static constexpr std::array<std::string_view, 7> kWords = {
      "passw", "pwd", "secret", "token", "passphrase", "credential", "privatekey"};
  const std::string lower = Lower(path);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

std::string Shown(std::string_view text) {
  std::string shown = "'";
  std::size_t characters = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool starts_character = (byte & 0xC0) != 0x80;
    if (starts_character && ++characters > kShownCharacters) return shown + "…'";
    AddPrintable(c, &shown);
  }
  return shown + "'";
}

std::string Nearest(std::string_view word, const std::vector<std::string>& allowed) {
  // Long words tolerate more slips; a long one that is no name of ours is not worth the comparison.
  if (word.empty() || word.size() > 64) return "";
  const std::string lower = Lower(word);
  std::string nearest;
  int best = std::max(1, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& candidate : allowed) {
    const int distance = EditDistance(lower, Lower(candidate));
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string Listed(const std::vector<std::string>& words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " and " : ", ";
    list += words[i];
  }
  return list;
}

}  // namespace pandora_ha
