// The words of a scenario's line, taken apart. Every function throws std::runtime_error with a
// sentence on what it cannot read.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/model/observation.h"
#include "reconciler/model/spec.h"

namespace pandora_ha::scenarios {

using Words = std::vector<std::string>;

[[noreturn]] inline void Complain(const std::string& what) {
  throw std::runtime_error(what);
}

// Splits at blanks; "quoted words" stay together.
inline Words Split(const std::string& text) {
  Words words;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (quoted) Complain("a quotation mark is missing");
  if (any) words.push_back(word);
  return words;
}

inline std::vector<std::string> SplitAt(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::string part;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == separator && !quoted) {
      parts.push_back(part);
      part.clear();
    } else {
      part += c;
    }
  }
  parts.push_back(part);
  return parts;
}

inline bool Starts(const Words& words, std::initializer_list<const char*> with) {
  return words.size() >= with.size() && std::equal(with.begin(), with.end(), words.begin());
}

inline bool Is(const Words& words, std::initializer_list<const char*> with) {
  return words.size() == with.size() && Starts(words, with);
}

inline bool YesNo(const std::string& value) {
  if (value == "yes") return true;
  if (value == "no") return false;
  Complain("\"" + value + "\" is neither yes nor no");
}

inline Duration Time(const std::string& text) {
  std::size_t end = 0;
  const auto number = std::stoll(text, &end);
  const std::string unit = text.substr(end);
  if (unit == "ms") return Milliseconds(number);
  if (unit == "s") return Seconds(number);
  Complain("\"" + text + "\" is no time; say 200ms or 3s");
}

inline std::chrono::seconds WholeSeconds(const std::string& text) {
  return std::chrono::duration_cast<Seconds>(Time(text));
}

inline std::pair<std::string, std::string> KeyValue(const std::string& word) {
  const auto at = word.find('=');
  if (at == std::string::npos) return {"", ""};
  return {word.substr(0, at), word.substr(at + 1)};
}

inline ThreadState Thread(const std::string& value) {
  if (value == "running") return ThreadState::kRunning;
  if (value == "connecting") return ThreadState::kConnecting;
  if (value == "stopped") return ThreadState::kStopped;
  Complain("a thread is running, connecting or stopped, not \"" + value + "\"");
}

template <class E>
E OneOf(const std::string& value, std::initializer_list<E> all) {
  for (const E one : all) {
    if (ToString(one) == value) return one;
  }
  Complain("\"" + value + "\" is not one of the allowed words");
}

inline std::vector<NodeName> Names(const std::string& value) {
  std::vector<NodeName> names;
  for (const std::string& part : SplitAt(value, ',')) names.emplace_back(part);
  return names;
}

}  // namespace pandora_ha::scenarios
