#include "reconciler/spec/tree.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace pandora_ha {

const TreeNode* TreeNode::Find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const TreeMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

TreeNode* TreeNode::Find(std::string_view key) {
  return const_cast<TreeNode*>(std::as_const(*this).Find(key));
}

std::string ChildPath(std::string_view parent, std::string_view key) {
  std::string path(parent);
  if (!path.empty()) path += '.';
  return path.append(key);
}

std::string ItemPath(std::string_view parent, std::size_t index) {
  return std::string(parent) + "[" + std::to_string(index) + "]";
}

Position Locate(const TreeNode& root, std::string_view path) {
  const TreeNode* node = &root;
  Position at = root.at;
  while (!path.empty()) {
    if (path.front() == '[') {
      const std::size_t close = path.find(']');
      std::size_t index = 0;
      std::from_chars(path.data() + 1, path.data() + std::min(close, path.size()), index);
      if (close == std::string_view::npos || index >= node->items.size()) return at;
      node = &node->items[index];
      at = node->from_default ? at : node->at;
      path.remove_prefix(close + 1);
    } else {
      if (path.front() == '.') path.remove_prefix(1);
      const std::string_view key = path.substr(0, path.find_first_of(".["));
      const auto found = std::find_if(node->members.begin(), node->members.end(),
                                      [&](const TreeMember& member) { return member.key == key; });
      if (found == node->members.end() || found->value.from_default) return at;
      node = &found->value;
      at = found->key_at;
      path.remove_prefix(key.size());
    }
  }
  return at;
}

}  // namespace pandora_ha
