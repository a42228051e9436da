// A document as read: what was written, and where.
//
// Schema, rules and conversion all work on this tree, so that each of them can point at the line it
// speaks of. Nothing in it depends on the YAML library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pandora_ha {

// Both count from 1; columns count characters, not bytes. 0: nowhere in particular.
struct Position {
  int line = 0;
  int column = 0;

  bool operator==(const Position&) const = default;
};

enum class NodeKind {
  kNull,
  kBoolean,
  kInteger,
  kFloat,
  kString,
  kSequence,
  kMapping,
  kUnusable,  // an alias, a tag, an ambiguous word: already reported, says nothing
};

struct TreeMember;

// One value. Plain scalars are typed as JSON would; quoted ones are strings.
struct TreeNode {
  NodeKind kind = NodeKind::kNull;
  Position at;
  std::string text;                     // of a scalar, as written, without quotes
  std::optional<std::int64_t> integer;  // kInteger that fits
  std::vector<TreeNode> items;          // kSequence
  std::vector<TreeMember> members;      // kMapping, in the order of the document
  bool from_default = false;            // not written: the schema's default

  // Null when this is no mapping or has no such member.
  const TreeNode* Find(std::string_view key) const;
  TreeNode* Find(std::string_view key);
};

struct TreeMember {
  std::string key;
  Position key_at;
  TreeNode value;
};

// "spec.database.nodes" and "name" → "spec.database.nodes.name"; an empty parent adds no dot.
std::string ChildPath(std::string_view parent, std::string_view key);
std::string ItemPath(std::string_view parent, std::size_t index);  // "nodes" and 1 → "nodes[1]"

// Where `path` is written: the key of a member, the value of an item. For a path that the document
// does not have, the nearest thing above it that it has.
Position Locate(const TreeNode& root, std::string_view path);

}  // namespace pandora_ha
