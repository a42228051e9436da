#include "reconciler/spec/fields.h"

#include <algorithm>
#include <set>

#include "reconciler/spec/problem.h"

namespace pandora_ha {
namespace {

bool IsPlain(const TreeNode& node) {
  return node.kind != NodeKind::kMapping && node.kind != NodeKind::kSequence;
}

void Collect(const std::string& path, const TreeNode& node, Fields* fields);

void CollectItems(const std::string& path, const TreeNode& list, Fields* fields) {
  if (std::all_of(list.items.begin(), list.items.end(), IsPlain)) {
    std::vector<std::string> words;
    for (const TreeNode& item : list.items) words.push_back(item.text);
    (*fields)[path] = {Listed(words), list.at};
    return;
  }
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const TreeNode* name = list.items[i].Find("name");
    Collect(name == nullptr ? ItemPath(path, i) : path + "[" + name->text + "]", list.items[i],
            fields);
  }
}

void Collect(const std::string& path, const TreeNode& node, Fields* fields) {
  if (node.kind == NodeKind::kSequence) {
    CollectItems(path, node, fields);
  } else if (node.kind == NodeKind::kMapping) {
    for (const TreeMember& member : node.members)
      Collect(ChildPath(path, member.key), member.value, fields);
  } else {
    (*fields)[path] = {node.text, node.at};
  }
}

// The outermost item on the path that `others` know nothing of; empty: none.
std::string UnknownItem(const std::string& path, const Fields& others) {
  for (auto end = path.find(']'); end != std::string::npos; end = path.find(']', end + 1)) {
    const std::string item = path.substr(0, end + 1);
    const auto found = others.lower_bound(item);
    if (found == others.end() || !found->first.starts_with(item)) return item;
  }
  return "";
}

}  // namespace

Fields FieldsOf(const TreeNode& root) {
  Fields fields;
  Collect("", root, &fields);
  return fields;
}

std::vector<std::string> DescribeChange(const Fields& before, const Fields& after) {
  std::vector<std::string> changes;
  std::set<std::string> items;
  const auto whole = [&](const std::string& path, const Fields& others, const char* what) {
    const std::string item = UnknownItem(path, others);
    if (!item.empty() && items.insert(item).second) changes.push_back(item + what);
    return !item.empty();
  };
  const auto shown = [](const std::string& path, const std::string& text) {
    return IsSensitive(path) ? std::string("another value") : Shown(text);
  };
  for (const auto& [path, field] : before) {
    if (after.contains(path) || whole(path, after, " is gone")) continue;
    changes.push_back(path + " is gone");
  }
  for (const auto& [path, field] : after) {
    const auto old = before.find(path);
    if (old == before.end()) {
      if (!whole(path, before, " is new"))
        changes.push_back(path + " is " + shown(path, field.text));
    } else if (old->second.text != field.text) {
      changes.push_back(path + " is " + shown(path, field.text) +
                        (IsSensitive(path) ? "" : " and was " + Shown(old->second.text)));
    }
  }
  return changes;
}

}  // namespace pandora_ha
