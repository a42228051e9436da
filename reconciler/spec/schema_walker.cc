#include "reconciler/spec/schema_walker.h"

#include <algorithm>
#include <map>
#include <utility>

namespace pandora_ha {
namespace {

constexpr char kInlinePassword[] =
    "a password may not stand in the document; put it in a file, write passwordFrom: {file: "
    "/path/of/the/file} in the "
    "account, and change this password: whoever can read the document knows it";

std::string Wanted(const Schema& schema) {
  switch (schema.type) {
    case SchemaType::kObject:
      return "a section of fields";
    case SchemaType::kArray:
      return "a list";
    case SchemaType::kString:
      return "text";
    case SchemaType::kInteger:
      return "a whole number";
    case SchemaType::kBoolean:
      return "true or false";
    case SchemaType::kIntOrString:
      return "a whole number or text";
    case SchemaType::kAnything:
      return "anything";
  }
  return "";
}

std::string Found(const TreeNode& node, bool sensitive) {
  const auto with_text = [&](const std::string& what) {
    return sensitive ? what : what + " " + node.text;
  };
  switch (node.kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kBoolean:
      return sensitive ? "a word" : node.text;
    case NodeKind::kInteger:
    case NodeKind::kFloat:
      return sensitive ? "a number" : with_text("the number");
    case NodeKind::kString:
      return sensitive ? "text" : "the text " + Shown(node.text);
    case NodeKind::kSequence:
      return "a list";
    case NodeKind::kMapping:
      return "a section of fields";
    case NodeKind::kUnusable:
      return "";
  }
  return "";
}

bool Fits(const Schema& schema, NodeKind kind) {
  switch (schema.type) {
    case SchemaType::kObject:
      return kind == NodeKind::kMapping;
    case SchemaType::kArray:
      return kind == NodeKind::kSequence;
    case SchemaType::kString:
      return kind == NodeKind::kString;
    case SchemaType::kInteger:
      return kind == NodeKind::kInteger;
    case SchemaType::kBoolean:
      return kind == NodeKind::kBoolean;
    case SchemaType::kIntOrString:
      return kind == NodeKind::kInteger || kind == NodeKind::kString;
    case SchemaType::kAnything:
      return true;
  }
  return false;
}

bool IsWholeNumber(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// How to turn what was found into what is wanted, where there is one obvious way.
std::string TypeRemedy(const Schema& schema, const TreeNode& node, bool sensitive) {
  const bool number = node.kind == NodeKind::kInteger || node.kind == NodeKind::kFloat;
  const bool text = node.kind == NodeKind::kString;
  if (schema.type == SchemaType::kString && (number || node.kind == NodeKind::kBoolean)) {
    return sensitive ? "; put it in quotes" : "; put it in quotes: \"" + node.text + "\"";
  }
  if (schema.type == SchemaType::kInteger && text && IsWholeNumber(node.text))
    return "; remove the quotes";
  if (schema.type == SchemaType::kInteger && text && !sensitive && node.text[0] >= '0' &&
      node.text[0] <= '9') {
    return "; write the number alone, the unit is that of the field's name";
  }
  if (schema.type == SchemaType::kBoolean && text) return "; write true or false without quotes";
  if (schema.type == SchemaType::kArray && (text || number))
    return "; put it in brackets, or on a line of its own after '- '";
  if (schema.type == SchemaType::kArray && node.kind == NodeKind::kMapping)
    return "; begin each entry with '- '";
  if (schema.type == SchemaType::kObject && !schema.properties.empty()) {
    return "; its fields are " + Listed(schema.PropertyNames());
  }
  return "";
}

std::size_t Characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string RangeWords(const Schema& schema) {
  if (schema.minimum && schema.maximum) {
    return "must be from " + std::to_string(*schema.minimum) + " to " +
           std::to_string(*schema.maximum);
  }
  if (schema.minimum) return "must be at least " + std::to_string(*schema.minimum);
  if (schema.maximum) return "must be at most " + std::to_string(*schema.maximum);
  return "is too large";
}

void MarkDefault(TreeNode* node, Position at) {
  node->from_default = true;
  node->at = at;
  for (TreeNode& item : node->items) MarkDefault(&item, at);
  for (TreeMember& member : node->members) {
    member.key_at = at;
    MarkDefault(&member.value, at);
  }
}

class Walker {
 public:
  Walker(std::string file, const Schema& document) : file_(std::move(file)), document_(document) {}

  WalkResult Take() { return std::move(result_); }

  // `where` is the key or dash that introduces the node.
  void Walk(const Schema& schema, const std::string& path, Position where, TreeNode* node) {
    if (node->kind == NodeKind::kUnusable) {
      result_.suspects.push_back(path);
      return;
    }
    if (Full()) return;
    if (!Fits(schema, node->kind)) return ReportType(schema, path, *node);
    switch (node->kind) {
      case NodeKind::kMapping:
        WalkMapping(schema, path, where, node);
        break;
      case NodeKind::kSequence:
        WalkSequence(schema, path, where, node);
        break;
      case NodeKind::kInteger:
        WalkInteger(schema, path, *node);
        break;
      case NodeKind::kString:
        WalkString(schema, path, *node);
        break;
      case NodeKind::kNull:
      case NodeKind::kBoolean:
      case NodeKind::kFloat:
      case NodeKind::kUnusable:
        break;
    }
  }

 private:
  bool Full() const { return result_.problems.size() > kMaxProblems; }

  void Report(Position at, const std::string& path, std::string message) {
    if (Full()) return;
    result_.problems.push_back({file_, at, path, std::move(message), ""});
    result_.suspects.push_back(path);
  }

  void ReportType(const Schema& schema, const std::string& path, const TreeNode& node) {
    const bool sensitive = IsSensitive(path);
    if (path.ends_with(".passwordFrom") && node.kind != NodeKind::kSequence)
      return Report(node.at, path, kInlinePassword);
    Report(node.at, path.empty() ? "" : path,
           "found " + Found(node, sensitive) + "; must be " + Wanted(schema) +
               TypeRemedy(schema, node, sensitive));
  }

  void WalkInteger(const Schema& schema, const std::string& path, const TreeNode& node) {
    const bool low = schema.minimum && node.integer && *node.integer < *schema.minimum;
    const bool high = schema.maximum && node.integer && *node.integer > *schema.maximum;
    if (node.integer && !low && !high) return;
    Report(node.at, path, "found " + Found(node, IsSensitive(path)) + "; " + RangeWords(schema));
  }

  void WalkString(const Schema& schema, const std::string& path, const TreeNode& node) {
    const std::string found = "found " + Found(node, IsSensitive(path));
    const std::size_t length = Characters(node.text);
    if (!schema.allowed.empty()) {
      WalkEnum(schema, path, node, found);
    } else if (schema.min_length && length < *schema.min_length) {
      Report(node.at, path,
             length == 0 ? "found empty text; it may not be empty"
                         : found + "; must have at least " + std::to_string(*schema.min_length) +
                               " characters");
    } else if (schema.max_length && length > *schema.max_length) {
      Report(node.at, path,
             found + " of " + std::to_string(length) + " characters; at most " +
                 std::to_string(*schema.max_length) + " are allowed");
    } else if (schema.expression && !std::regex_search(node.text, *schema.expression)) {
      Report(node.at, path, found + "; must be " + PatternWords(schema.pattern));
    }
  }

  void WalkEnum(const Schema& schema, const std::string& path, const TreeNode& node,
                const std::string& found) {
    const auto& allowed = schema.allowed;
    if (std::find(allowed.begin(), allowed.end(), node.text) != allowed.end()) return;
    const std::string nearest = Nearest(node.text, allowed);
    Report(node.at, path,
           found + "; allowed are " + Listed(allowed) +
               (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
  }

  void WalkMapping(const Schema& schema, const std::string& path, Position where, TreeNode* node) {
    if (schema.type == SchemaType::kAnything) return;
    if (schema.max_items && node->members.size() > *schema.max_items) {
      Report(where, path,
             "has " + std::to_string(node->members.size()) + " entries; at most " +
                 std::to_string(*schema.max_items) + " are allowed");
    }
    DropEmpty(schema, path, node);
    const std::vector<std::string> misspelled = WalkMembers(schema, path, node);
    for (const std::string& name : schema.required) {
      if (node->Find(name) != nullptr) continue;
      if (std::find(misspelled.begin(), misspelled.end(), name) != misspelled.end()) continue;
      ReportMissing(schema, path, name, where);
    }
    for (const auto& [name, child] : schema.properties) {
      if (!child.default_value || node->Find(name) != nullptr) continue;
      TreeNode value = *child.default_value;
      MarkDefault(&value, where);
      Walk(child, ChildPath(path, name), where, &value);
      node->members.push_back({name, where, std::move(value)});
    }
  }

  // Gives the names of missing fields that unknown ones were probably meant to be.
  std::vector<std::string> WalkMembers(const Schema& schema, const std::string& path,
                                       TreeNode* node) {
    std::vector<std::string> misspelled;
    for (TreeMember& member : node->members) {
      const std::string child_path = ChildPath(path, member.key);
      if (const Schema* child = schema.Property(member.key)) {
        Walk(*child, child_path, member.key_at, &member.value);
      } else if (schema.additional) {
        Walk(*schema.additional, child_path, member.key_at, &member.value);
      } else if (!Full()) {
        misspelled.push_back(ReportUnknown(schema, path, *node, member));
      }
    }
    return misspelled;
  }

  std::string ReportUnknown(const Schema& schema, const std::string& path, const TreeNode& node,
                            const TreeMember& member) {
    const std::string child_path =
        ChildPath(path, Shown(member.key).size() > 64 ? "…" : member.key);
    const std::vector<std::string> names = schema.PropertyNames();
    const std::string nearest = Nearest(member.key, names);
    const bool account = schema.Property("passwordFrom") != nullptr;
    const bool scalar =
        member.value.kind != NodeKind::kMapping && member.value.kind != NodeKind::kSequence;
    if (IsSensitive(member.key) && scalar && (account || nearest.empty())) {
      Report(member.key_at, child_path, kInlinePassword);
      return account ? "passwordFrom" : "";
    }
    if (nearest.empty()) {
      ReportStranger(schema, child_path, member);
      return "";
    }
    const bool both = node.Find(nearest) != nullptr;
    Report(member.key_at, child_path,
           "there is no such field; did you mean '" + nearest + "'" +
               (both ? ", which is set too?" : "?"));
    if (!both) result_.suspects.push_back(ChildPath(path, nearest));
    return nearest;
  }

  // An unknown field that resembles nothing here.
  void ReportStranger(const Schema& schema, const std::string& path, const TreeMember& member) {
    const std::string before_colon = member.key.substr(0, member.key.find(':'));
    if (before_colon.size() < member.key.size() && schema.Property(before_colon) != nullptr) {
      return Report(member.key_at, path, "a space is missing after '" + before_colon + ":'");
    }
    const std::string elsewhere = FindField(document_, member.key, "");
    Report(member.key_at, path,
           "there is no such field here; " + (elsewhere.empty()
                                                  ? "allowed are " + Listed(schema.PropertyNames())
                                                  : "did you mean " + elsewhere + "?"));
  }

  // The path of a section's field of that name, anywhere in the document; empty: there is none.
  static std::string FindField(const Schema& schema, const std::string& name,
                               const std::string& path) {
    if (schema.Property(name) != nullptr) return ChildPath(path, name);
    for (const auto& [child_name, child] : schema.properties) {
      if (child_name == "metadata") continue;
      std::string found = FindField(child, name, ChildPath(path, child_name));
      if (!found.empty()) return found;
    }
    return "";
  }

  void ReportMissing(const Schema& schema, const std::string& path, const std::string& name,
                     Position where) {
    const Schema* child = schema.Property(name);
    std::string message = "this field is required and missing";
    if (child != nullptr && !child->description.empty()) message += ": " + child->description;
    if (message.ends_with('.')) message.pop_back();
    Report(where, ChildPath(path, name), message);
  }

  // A field without a value counts as not written, here as on an API server.
  void DropEmpty(const Schema& schema, const std::string& path, TreeNode* node) {
    const auto empty = [&](const TreeMember& member) {
      const Schema* child = schema.Property(member.key);
      if (child == nullptr || child->type == SchemaType::kAnything ||
          member.value.kind != NodeKind::kNull)
        return false;
      const bool required = std::find(schema.required.begin(), schema.required.end(), member.key) !=
                            schema.required.end();
      if (!required) {
        result_.warnings.push_back(
            {file_, member.key_at, ChildPath(path, member.key),
             "has no value and counts as not written; give it one or remove it", ""});
      }
      return true;
    };
    node->members.erase(std::remove_if(node->members.begin(), node->members.end(), empty),
                        node->members.end());
  }

  void WalkSequence(const Schema& schema, const std::string& path, Position where, TreeNode* node) {
    if (schema.type == SchemaType::kAnything) return;
    const std::size_t count = node->items.size();
    if (schema.min_items && count < *schema.min_items) {
      Report(where, path,
             "the list is empty; at least " + std::to_string(*schema.min_items) + " is needed");
    } else if (schema.max_items && count > *schema.max_items) {
      Report(where, path,
             "the list has " + std::to_string(count) + " entries; at most " +
                 std::to_string(*schema.max_items) + " are allowed");
    }
    for (std::size_t i = 0; i < count && schema.items; ++i) {
      Walk(*schema.items, ItemPath(path, i), node->items[i].at, &node->items[i]);
    }
    if (schema.list_type != ListType::kAtomic) FindRepeats(schema, path, *node);
  }

  void FindRepeats(const Schema& schema, const std::string& path, const TreeNode& node) {
    std::map<std::string, std::string> first;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const bool keyed = schema.list_type == ListType::kMap;
      const TreeNode* key = keyed ? node.items[i].Find(schema.list_key) : &node.items[i];
      if (key == nullptr || key->text.empty()) continue;
      const std::string here =
          keyed ? ChildPath(ItemPath(path, i), schema.list_key) : ItemPath(path, i);
      const auto [earlier, is_new] = first.emplace(key->text, here);
      if (is_new) continue;
      Report(key->at, here,
             Shown(key->text) + " is already " + earlier->second +
                 (keyed ? "; give each entry a " + schema.list_key + " of its own"
                        : "; remove one of the two"));
    }
  }

  std::string file_;
  const Schema& document_;
  WalkResult result_;
};

}  // namespace

WalkResult WalkSchema(const std::string& file, const Schema& schema, TreeNode* root) {
  Walker walker(file, schema);
  walker.Walk(schema, "", root->at, root);
  return walker.Take();
}

}  // namespace pandora_ha
