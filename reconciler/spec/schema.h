// The schema of the document, as a value.
//
// Its single source is crd/pandoracluster.yaml, carried inside the program. Of structural OpenAPI
// v3 it knows what that file uses; a keyword that it does not know is an error of the build (a test
// loads it), never skipped.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/spec/tree.h"

namespace pandora_ha {

enum class SchemaType { kObject, kArray, kString, kInteger, kBoolean, kIntOrString, kAnything };
enum class ListType { kAtomic, kSet, kMap };

struct SchemaProperty;

struct Schema {
  SchemaType type = SchemaType::kAnything;
  std::string description;
  std::vector<SchemaProperty> properties;  // in the order of the file
  std::vector<std::string> required;
  std::shared_ptr<const Schema> additional;  // of every member that `properties` does not name
  std::shared_ptr<const Schema> items;
  ListType list_type = ListType::kAtomic;
  std::string list_key;              // of kMap
  std::vector<std::string> allowed;  // enum
  std::string pattern;               // only with max_length
  std::shared_ptr<const std::regex> expression;
  std::optional<std::int64_t> minimum, maximum;
  std::optional<std::size_t> min_length, max_length;  // characters
  std::optional<std::size_t> min_items, max_items;    // of a list, or members of a mapping
  std::optional<TreeNode> default_value;
  std::vector<std::string> rule_ids;  // of the rules that stand here

  const Schema* Property(std::string_view name) const;
  std::vector<std::string> PropertyNames() const;
};

// Not a std::pair, which a compiler may look into while Schema is not complete.
struct SchemaProperty {
  std::string first;
  Schema second;
};

// Compiles one schema node of a tree.
Result<Schema> CompileSchema(const TreeNode& node, const std::string& path);

// The schema as crd/pandoracluster.yaml states it, status included. Like DocumentSchema().
const Schema& CustomResourceSchema();

// The schema of a whole document, with the fields that an API server gives to `metadata`. Compiled
// at first use, lives as long as the program. Thread-safe.
const Schema& DocumentSchema();

// The text of crd/pandoracluster.yaml.
const std::string& CustomResourceDefinition();

// The ids of all rules between fields that the schema states.
std::vector<std::string> SchemaRuleIds();

// What a pattern means, in words; empty when nobody gave it any (a test refuses that).
std::string PatternWords(const std::string& pattern);

}  // namespace pandora_ha
