// Every bad document beside this file, and the exact lines that a person gets for it.
#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "reconciler/spec/load_spec.h"
#include "reconciler/spec/rules.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

std::vector<std::filesystem::path> BadDocuments() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(SourceFile("tests/spec/bad"))) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string Lines(const LoadedSpec& loaded) {
  std::string lines;
  for (const Problem& problem : loaded.problems) lines += FormatProblem(problem) + "\n";
  return lines;
}

TEST(BadDocuments, AreManyAndNoneIsAccepted) {
  const auto paths = BadDocuments();
  EXPECT_GE(paths.size(), 120u);
  for (const auto& path : paths) {
    const LoadedSpec loaded = LoadSpecFile(path);
    EXPECT_FALSE(loaded.ok()) << path;
    EXPECT_FALSE(loaded.problems.empty()) << path;
  }
}

TEST(BadDocuments, SayExactlyThis) {
  for (const auto& path : BadDocuments()) {
    const LoadedSpec loaded = LoadSpecText(path.filename(), ReadAll(path));
    std::filesystem::path expected = path;
    ExpectFile(expected.replace_extension(".expected"), Lines(loaded));
  }
}

TEST(BadDocuments, NeverEchoASecret) {
  int with_secret = 0;
  for (const auto& path : BadDocuments()) {
    const std::string text = ReadAll(path);
    if (text.find("hunter2") == std::string::npos) continue;
    ++with_secret;
    EXPECT_THAT(Lines(LoadSpecText("x", text)), testing::Not(testing::HasSubstr("hunter2")))
        << path;
  }
  EXPECT_GE(with_secret, 8);
}

// A rule that no bad document breaks may as well not exist.
TEST(BadDocuments, BreakEveryRule) {
  std::vector<std::string> broken = {"SubstrateIsFixed", "SchemaIsFixed", "ServerIdIsFixed",
                                     "LocalIsFixed"};  // of changes: below
  for (const auto& path : BadDocuments()) {
    for (const Problem& problem : LoadSpecFile(path).problems) {
      if (!problem.rule_id.empty()) broken.push_back(problem.rule_id);
    }
  }
  for (const std::string& id : RuleIds()) EXPECT_THAT(broken, testing::Contains(id));
}

TEST(BadDocuments, TooLargeAndTooDeepEndEarly) {
  const std::string head = "apiVersion: ha.pandorafms.io/v1alpha1\n";
  EXPECT_THAT(Lines(LoadSpecText("x", head + "#" + std::string(300 * 1024, 'x'))),
              testing::HasSubstr("at most 262144"));
  EXPECT_THAT(Lines(LoadSpecText("x", std::string(200'000, '['))),
              testing::HasSubstr("more than 64 levels"));
  std::string indented;
  for (int i = 0; i < 400; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(Lines(LoadSpecText("x", indented)), testing::HasSubstr("more than 64 levels"));
}

TEST(BadDocuments, AThousandProblemsAreCutAtAHundred) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "field" + std::to_string(i) + ": *a\n";
  const LoadedSpec loaded = LoadSpecText("x", "b: &a 1\n" + text);
  EXPECT_EQ(loaded.problems.size(), kMaxProblems + 1);
  EXPECT_THAT(loaded.problems.back().message, testing::HasSubstr("more problems"));
}

TEST(BadDocuments, AFileThatCannotBeReadIsNamed) {
  const LoadedSpec missing = LoadSpecFile("/nonexistent/pandora.yaml");
  ASSERT_EQ(missing.problems.size(), 1u);
  EXPECT_EQ(FormatProblem(missing.problems[0]),
            "/nonexistent/pandora.yaml: cannot be read: No such file or directory; check the name "
            "and its permissions");
  EXPECT_THAT(Lines(LoadSpecFile("/tmp")), testing::HasSubstr("Is a directory"));
}

TEST(ChangedDocument, KeepsWhatIsFixed) {
  const std::string text = ReadAll(SourceFile("manifests/standalone/minimal.yaml"));
  const LoadedSpec before = LoadSpecText("x", text);
  ASSERT_TRUE(before.ok());
  EXPECT_TRUE(LoadChangedSpec("x", text, *before.spec).ok());

  std::string changed = text;
  changed.replace(changed.find("serverId: 2"), 11, "serverId: 3");
  changed.replace(changed.find("  database:\n"), 12, "  database:\n    schema: other\n");
  EXPECT_EQ(Lines(LoadChangedSpec("x", changed, *before.spec)),
            "x:9:5: spec.database.schema: it was 'pandora' and may not be changed while the "
            "cluster exists [SchemaIsFixed]\n"
            "x:12:41: spec.database.nodes[1].serverId: it was 2 and may not be changed; remove the "
            "node and add it anew "
            "[ServerIdIsFixed]\n");
  const std::string local = ReadAll(SourceFile("manifests/standalone/local-demo.yaml"));
  EXPECT_THAT(Lines(LoadChangedSpec("x", local, *before.spec)),
              testing::HasSubstr("[SubstrateIsFixed]"));
}

}  // namespace
}  // namespace pandora_ha
