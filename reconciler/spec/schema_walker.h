// A document against the schema: every problem at once, and the defaults filled in.
#pragma once

#include <string>
#include <vector>

#include "reconciler/spec/problem.h"
#include "reconciler/spec/schema.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

struct WalkResult {
  std::vector<Problem> problems;
  std::vector<Problem> warnings;
  // Paths whose content cannot be trusted: those with a problem, and fields that a misspelled name
  // was probably meant to be. Rules that read them stay silent.
  std::vector<std::string> suspects;
};

// Adds the schema's defaults to `root` and drops members without a value, as an API server does.
// After kMaxProblems it stops looking.
WalkResult WalkSchema(const std::string& file, const Schema& schema, TreeNode* root);

}  // namespace pandora_ha
