// docs/document.md ends with a table of every field; it is made from the schema and compared here.
#include <gtest/gtest.h>

#include "reconciler/spec/schema.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

constexpr char kMarker[] =
    "<!-- The rest is made from crd/pandoracluster.yaml: PANDORA_HA_REWRITE=1 ctest -R Reference "
    "-->\n";

std::string TypeWords(const Schema& schema) {
  switch (schema.type) {
    case SchemaType::kObject:
      return schema.additional ? "mapping" : "section";
    case SchemaType::kArray:
      return "list";
    case SchemaType::kString:
      return "text";
    case SchemaType::kInteger:
      return "number";
    case SchemaType::kBoolean:
      return "true, false";
    case SchemaType::kIntOrString:
      return "number or text";
    case SchemaType::kAnything:
      return "anything";
  }
  return "";
}

std::string Allowed(const Schema& schema) {
  std::string words = TypeWords(schema);
  if (!schema.allowed.empty()) {
    words.clear();
    for (const std::string& word : schema.allowed)
      words += (words.empty() ? "`" : ", `") + word + "`";
  }
  if (schema.minimum && schema.maximum)
    words += " " + std::to_string(*schema.minimum) + "–" + std::to_string(*schema.maximum);
  if (schema.max_items) words += ", at most " + std::to_string(*schema.max_items);
  return words;
}

std::string Default(const Schema& schema, bool required) {
  if (required) return "required";
  if (!schema.default_value || schema.default_value->kind == NodeKind::kMapping) return "";
  return "`" + schema.default_value->text + "`";
}

void AddRows(const Schema& schema, const std::string& path, std::string* out) {
  for (const auto& [name, child] : schema.properties) {
    const std::string child_path = ChildPath(path, name);
    const bool required =
        std::find(schema.required.begin(), schema.required.end(), name) != schema.required.end();
    *out += "| `" + child_path + "` | " + Allowed(child) + " | " + Default(child, required) +
            " | " + child.description + " |\n";
    AddRows(child, child_path, out);
    if (child.items) AddRows(*child.items, child_path + "[]", out);
  }
}

TEST(Reference, HoldsEveryField) {
  const auto path = SourceFile("docs/document.md");
  const std::string text = ReadAll(path);
  const std::size_t marker = text.find(kMarker);
  ASSERT_NE(marker, std::string::npos);
  std::string table = "\n| field | allowed | default | meaning |\n|---|---|---|---|\n";
  AddRows(*CustomResourceSchema().Property("spec"), "spec", &table);
  ExpectFile(path, text.substr(0, marker) + kMarker + table);
}

}  // namespace
}  // namespace pandora_ha
