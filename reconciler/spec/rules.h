// The rules between fields.
//
// Each has one id, here and in the x-kubernetes-validations of crd/pandoracluster.yaml, where an
// API server applies it; a test compares the two sets of ids.
#pragma once

#include <string>
#include <vector>

#include "reconciler/model/spec.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

struct RuleViolation {
  std::string rule_id;
  std::string path;  // of the field to change
  std::string message;
  std::vector<std::string> reads;  // other paths that the rule compared it with
};

// What one document breaks, in the order of the rules.
// `root` is the same document as written: whether a field with a default was set is not in `spec`.
std::vector<RuleViolation> CheckRules(const ClusterSpec& spec, const TreeNode& root);

// What a change of a running document breaks: some fields stay as they were first accepted.
std::vector<RuleViolation> CheckChange(const ClusterSpec& before, const ClusterSpec& after);

// The ids of both.
std::vector<std::string> RuleIds();

// Options of the database server that the cluster decides itself (rule ManagedOption), with '_' and
// without the prefixes that servers take off a name (loose_, skip_, ...).
const std::vector<std::string>& ManagedOptions();

// Correct but perhaps not meant: {path, message}.
std::vector<RuleViolation> Advice(const ClusterSpec& spec);

}  // namespace pandora_ha
