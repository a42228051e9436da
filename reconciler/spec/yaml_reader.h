// YAML text (or JSON, which is YAML) → positioned tree. The only user of yaml-cpp.
//
// It reads what every reader of YAML understands alike. Anchors, aliases, tags, merge keys,
// duplicate keys, several documents, and unquoted words that YAML 1.1 and 1.2 read differently
// (yes, 0123, 1_000, 1:30) are refused, each with its remedy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reconciler/spec/problem.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

inline constexpr std::size_t kMaxDocumentBytes = 256 * 1024;
inline constexpr int kMaxDocumentDepth = 64;

struct ReadTree {
  TreeNode root;
  std::vector<Problem> problems;  // in the order of the text
  // False: the text ends the reading early (size, encoding, syntax, depth), and `root` is not the
  // whole document.
  bool whole = false;
};

// Never throws; takes time and memory proportional to the text.
ReadTree ReadYaml(const std::string& file, const std::string& text);

}  // namespace pandora_ha
