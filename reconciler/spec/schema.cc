#include "reconciler/spec/schema.h"

#include <algorithm>
#include <cstdlib>

#include "reconciler/spec/yaml_reader.h"

namespace pandora_ha {
namespace {

// What an API server adds to `metadata`, and what people may: the CRD may speak of the name only.
constexpr char kObjectMeta[] = R"(
type: object
required: [name]
properties:
  namespace: {type: string, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'}
  labels: {type: object, additionalProperties: {type: string}}
  annotations: {type: object, additionalProperties: {type: string}}
  generation: {type: integer, minimum: 0}
  uid: {type: string}
  resourceVersion: {type: string}
  generateName: {type: string}
  selfLink: {type: string}
  creationTimestamp: {type: string}
  deletionTimestamp: {type: string}
  deletionGracePeriodSeconds: {type: integer}
  finalizers: {type: array, items: {type: string}}
  ownerReferences: {type: array, items: {x-kubernetes-preserve-unknown-fields: true}}
  managedFields: {type: array, items: {x-kubernetes-preserve-unknown-fields: true}}
)";

Error Fault(const std::string& path, const std::string& what) {
  return {ErrorCode::kInternal, "schema: " + path + ": " + what};
}

Result<SchemaType> TypeOf(const std::string& word, const std::string& path) {
  if (word == "object") return SchemaType::kObject;
  if (word == "array") return SchemaType::kArray;
  if (word == "string") return SchemaType::kString;
  if (word == "integer") return SchemaType::kInteger;
  if (word == "boolean") return SchemaType::kBoolean;
  return Fault(path, "type " + word + " is not supported");
}

std::vector<std::string> Words(const TreeNode& list) {
  std::vector<std::string> words;
  for (const TreeNode& item : list.items) words.push_back(item.text);
  return words;
}

// "[UniqueAddress] every …" → "UniqueAddress"; empty when the message has no id.
std::string RuleIdOf(const TreeNode& rule) {
  const TreeNode* message = rule.Find("message");
  if (message == nullptr || !message->text.starts_with('[')) return "";
  return message->text.substr(1, message->text.find(']') - 1);
}

Status CompileRules(const TreeNode& rules, const std::string& path, Schema* schema) {
  for (const TreeNode& rule : rules.items) {
    schema->rule_ids.push_back(RuleIdOf(rule));
    if (schema->rule_ids.back().empty()) return Fault(path, "a rule's message has no [Id]");
  }
  return Ok();
}

Status CompileProperties(const TreeNode& properties, const std::string& path, Schema* schema) {
  for (const TreeMember& member : properties.members) {
    PHA_ASSIGN_OR_RETURN(Schema child, CompileSchema(member.value, ChildPath(path, member.key)));
    schema->properties.push_back({member.key, std::move(child)});
  }
  return Ok();
}

// Keywords whose value is a schema or a list of rules.
Result<bool> CompileNested(const TreeMember& keyword, const std::string& path, Schema* schema) {
  if (keyword.key == "properties") {
    PHA_TRY(CompileProperties(keyword.value, path, schema));
  } else if (keyword.key == "additionalProperties") {
    PHA_ASSIGN_OR_RETURN(Schema child, CompileSchema(keyword.value, path + ".*"));
    schema->additional = std::make_shared<const Schema>(std::move(child));
  } else if (keyword.key == "items") {
    PHA_ASSIGN_OR_RETURN(Schema child, CompileSchema(keyword.value, path + "[]"));
    schema->items = std::make_shared<const Schema>(std::move(child));
  } else if (keyword.key == "x-kubernetes-validations") {
    PHA_TRY(CompileRules(keyword.value, path, schema));
  } else {
    return false;
  }
  return true;
}

// Keywords whose value is a number; false: it is none of them.
bool CompileLimit(const TreeMember& keyword, Schema* schema) {
  const auto number = keyword.value.integer;
  const auto count = [&] {
    return number ? std::optional<std::size_t>(static_cast<std::size_t>(*number)) : std::nullopt;
  };
  if (keyword.key == "minimum") {
    schema->minimum = number;
  } else if (keyword.key == "maximum") {
    schema->maximum = number;
  } else if (keyword.key == "minLength") {
    schema->min_length = count();
  } else if (keyword.key == "maxLength") {
    schema->max_length = count();
  } else if (keyword.key == "minItems") {
    schema->min_items = count();
  } else if (keyword.key == "maxItems" || keyword.key == "maxProperties") {
    schema->max_items = count();
  } else {
    return false;
  }
  return true;
}

Status CompileWord(const TreeMember& keyword, const std::string& path, Schema* schema) {
  const TreeNode& value = keyword.value;
  if (keyword.key == "type") {
    PHA_ASSIGN_OR_RETURN(schema->type, TypeOf(value.text, path));
  } else if (keyword.key == "description") {
    schema->description = value.text;
  } else if (keyword.key == "required") {
    schema->required = Words(value);
  } else if (keyword.key == "enum") {
    schema->allowed = Words(value);
  } else if (keyword.key == "default") {
    schema->default_value = value;
  } else if (keyword.key == "pattern") {
    schema->pattern = value.text;
    schema->expression = std::make_shared<const std::regex>(value.text);
  } else if (keyword.key == "x-kubernetes-list-type") {
    schema->list_type = value.text == "map"   ? ListType::kMap
                        : value.text == "set" ? ListType::kSet
                                              : ListType::kAtomic;
  } else if (keyword.key == "x-kubernetes-list-map-keys") {
    if (value.items.size() != 1)
      return Fault(path, "lists with other than one key are not supported");
    schema->list_key = value.items.front().text;
  } else if (keyword.key == "x-kubernetes-int-or-string") {
    schema->type = SchemaType::kIntOrString;
  } else if (keyword.key == "x-kubernetes-preserve-unknown-fields") {
    schema->type = SchemaType::kAnything;
  } else if (keyword.key != "format") {
    return Fault(path, "keyword " + keyword.key + " is not supported");
  }
  return Ok();
}

void CollectRuleIds(const Schema& schema, std::vector<std::string>* ids) {
  ids->insert(ids->end(), schema.rule_ids.begin(), schema.rule_ids.end());
  for (const auto& [name, child] : schema.properties) CollectRuleIds(child, ids);
  if (schema.additional) CollectRuleIds(*schema.additional, ids);
  if (schema.items) CollectRuleIds(*schema.items, ids);
}

Schema WithObjectMeta(Schema schema) {
  const ReadTree read = ReadYaml("metadata", kObjectMeta);
  Result<Schema> added = CompileSchema(read.root, "metadata");
  if (!added.ok()) std::abort();
  schema.required = {"apiVersion", "kind", "metadata", "spec"};
  for (auto& [name, child] : schema.properties) {
    if (name == "metadata") {
      child.required = added->required;
      for (auto& property : added->properties) child.properties.push_back(std::move(property));
    } else if (name == "status") {
      child = Schema();  // ours to write: what a document says there is not read
    }
  }
  return schema;
}

}  // namespace

const Schema* Schema::Property(std::string_view name) const {
  const auto found = std::find_if(properties.begin(), properties.end(),
                                  [&](const auto& property) { return property.first == name; });
  return found == properties.end() ? nullptr : &found->second;
}

std::vector<std::string> Schema::PropertyNames() const {
  std::vector<std::string> names;
  for (const auto& [name, schema] : properties) names.push_back(name);
  return names;
}

Result<Schema> CompileSchema(const TreeNode& node, const std::string& path) {
  Schema schema;
  for (const TreeMember& keyword : node.members) {
    PHA_ASSIGN_OR_RETURN(const bool nested, CompileNested(keyword, path, &schema));
    if (nested || CompileLimit(keyword, &schema)) continue;
    PHA_TRY(CompileWord(keyword, path, &schema));
  }
  if (!schema.pattern.empty() && !schema.max_length)
    return Fault(path, "a pattern needs a maxLength");
  return schema;
}

const Schema& CustomResourceSchema() {
  static const Schema schema = [] {
    const ReadTree read = ReadYaml("pandoracluster.yaml", CustomResourceDefinition());
    const TreeNode* versions = nullptr;
    if (const TreeNode* spec = read.root.Find("spec"); read.whole && spec != nullptr)
      versions = spec->Find("versions");
    if (versions == nullptr || versions->items.empty())
      std::abort();  // the program carries no schema
    Result<Schema> compiled =
        CompileSchema(*versions->items[0].Find("schema")->Find("openAPIV3Schema"), "");
    if (!compiled.ok()) std::abort();
    return *std::move(compiled);
  }();
  return schema;
}

const Schema& DocumentSchema() {
  static const Schema schema = WithObjectMeta(CustomResourceSchema());
  return schema;
}

std::vector<std::string> SchemaRuleIds() {
  std::vector<std::string> ids;
  CollectRuleIds(CustomResourceSchema(), &ids);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace pandora_ha
