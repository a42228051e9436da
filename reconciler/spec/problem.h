// What is wrong with a document, in a form that people and programs can use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/spec/tree.h"

namespace pandora_ha {

// More than these of one document are not shown.
inline constexpr std::size_t kMaxProblems = 100;

// One problem. `message` says what was found, what is allowed, and what to do; it never holds the
// value of a field whose name looks like a secret's.
struct Problem {
  std::string file;
  Position at;
  std::string path;  // "spec.database.nodes[1].address"; empty: the document as a whole
  std::string message;
  std::string rule_id;  // of a rule between fields; empty: form or schema

  bool operator==(const Problem&) const = default;
};

// "pandora.yaml:7:5: spec.substrate: found …; … [RuleId]", one line.
std::string FormatProblem(const Problem& problem);

// Whether values at this path stay unsaid: some name on it speaks of a password, secret, token or
// credential.
bool IsSensitive(std::string_view path);

// Text of a document as it may be shown in a message: in quotes, on one line, cut when long.
std::string Shown(std::string_view text);

// The allowed word that `word` was probably meant to be; empty when none is close.
std::string Nearest(std::string_view word, const std::vector<std::string>& allowed);

// "a, b and c"
std::string Listed(const std::vector<std::string>& words);

}  // namespace pandora_ha
