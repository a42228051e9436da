#include "reconciler/spec/schema.h"

#include <gmock/gmock.h>

#include <functional>

#include "reconciler/spec/rules.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

using Visit = std::function<void(const std::string&, const Schema&)>;

void ForEach(const Schema& schema, const std::string& path, const Visit& visit) {
  visit(path, schema);
  for (const auto& [name, child] : schema.properties) ForEach(child, ChildPath(path, name), visit);
  if (schema.additional) ForEach(*schema.additional, path + ".*", visit);
  if (schema.items) ForEach(*schema.items, path + "[]", visit);
}

TEST(Schema, DescribesEveryField) {
  int fields = 0;
  ForEach(CustomResourceSchema(), "", [&](const std::string& path, const Schema& schema) {
    ++fields;
    if (path == "metadata") return;  // an API server allows no words of ours there
    EXPECT_FALSE(schema.description.empty()) << path;
    EXPECT_THAT(schema.description, testing::EndsWith(".")) << path;
  });
  EXPECT_GT(fields, 150);
}

// Text without an end is a cost without an end, for CEL and for our expressions.
TEST(Schema, BoundsEveryTextAndList) {
  ForEach(*CustomResourceSchema().Property("spec"), "spec",
          [](const std::string& path, const Schema& schema) {
            if (schema.type == SchemaType::kString && schema.allowed.empty()) {
              EXPECT_TRUE(schema.max_length && *schema.max_length <= 1024) << path;
            }
            if (schema.type == SchemaType::kArray || schema.additional) {
              EXPECT_TRUE(schema.max_items && *schema.max_items <= 128) << path;
            }
            EXPECT_TRUE(schema.type != SchemaType::kInteger || (schema.minimum && schema.maximum))
                << path;
          });
}

TEST(Schema, SaysEveryPatternInWords) {
  ForEach(CustomResourceSchema(), "", [](const std::string& path, const Schema& schema) {
    EXPECT_TRUE(schema.pattern.empty() || PatternWords(schema.pattern) != "")
        << path << " " << schema.pattern;
  });
}

TEST(Schema, HasTheRulesOfTheProgramAndNoOther) {
  EXPECT_THAT(SchemaRuleIds(), testing::ElementsAreArray(RuleIds()));
  EXPECT_GE(RuleIds().size(), 30u);
}

TEST(Schema, ForbidsTheSameOptionsAsTheProgram) {
  const std::string& text = CustomResourceDefinition();
  const std::size_t start = text.find("'maximum_', '') in [");
  const std::string list = text.substr(start, text.find("])", start) - start);
  std::size_t names = 0;
  for (std::size_t at = list.find('['); (at = list.find('\'', at + 1)) != std::string::npos;)
    ++names;
  for (const std::string& option : ManagedOptions())
    EXPECT_THAT(list, testing::HasSubstr("'" + option + "'"));
  EXPECT_EQ(names / 2, ManagedOptions().size());
}

// The longest text that a pattern may see, in the shapes that make backtracking dear.
TEST(Schema, PatternsAreQuickOnHostileText) {
  ForEach(CustomResourceSchema(), "", [](const std::string&, const Schema& schema) {
    if (!schema.expression) return;
    for (const char* unit : {"a", "a-", "a.", "1.", ":", "0", "_", "aA1:"}) {
      std::string text;
      while (text.size() + 4 < std::min<std::size_t>(*schema.max_length, 1024)) text += unit;
      std::regex_search(text + "!", *schema.expression);
    }
  });
}

TEST(Schema, RefusesWhatItDoesNotKnow) {
  TreeNode node;
  node.kind = NodeKind::kMapping;
  node.members.push_back({"oneOf", {}, {}});
  const Result<Schema> schema = CompileSchema(node, "spec");
  ASSERT_FALSE(schema.ok());
  EXPECT_EQ(schema.error().message, "schema: spec: keyword oneOf is not supported");
}

}  // namespace
}  // namespace pandora_ha
