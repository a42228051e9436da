// Plays every tests/scenarios/*.txt. With PANDORA_HA_REWRITE=1 the expected parts are written anew
// from what was decided: read the difference before believing it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/scenarios/script.h"

namespace pandora_ha::scenarios {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> AllScenarios() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(PANDORA_HA_SOURCE_DIR "/tests/scenarios")) {
    if (file.path().extension() == ".txt" && file.path().stem() != "CMakeLists")
      names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path PathOf(const std::string& name) {
  return fs::path(PANDORA_HA_SOURCE_DIR "/tests/scenarios") / (name + ".txt");
}

std::vector<std::string> ReadLines(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// One command and what it was expected to print, with the line number it stands on.
struct Difference {
  std::size_t line = 0;
  std::string command, expected, actual;
};

struct Outcome {
  std::string rewritten;
  std::vector<Difference> differences;
  Coverage coverage;
};

bool Answers(const std::string& line) {
  return line == "decide" || line.rfind("apply", 0) == 0 || line.rfind("let it run", 0) == 0 ||
         line.rfind("stand by", 0) == 0;
}

// The text between ---- and the next blank line; `i` moves behind it.
std::string TakeExpected(const std::vector<std::string>& lines, std::size_t* i) {
  std::string expected;
  if (*i >= lines.size() || lines[*i] != "----") return expected;
  for (++*i; *i < lines.size() && !lines[*i].empty(); ++*i) expected += lines[*i] + "\n";
  return expected;
}

Outcome Play(const std::vector<std::string>& lines) {
  Outcome outcome;
  Script script;
  for (std::size_t i = 0; i < lines.size();) {
    const std::size_t number = i + 1;
    const std::string& line = lines[i++];
    outcome.rewritten += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    std::string actual;
    try {
      actual = script.Play(line);
    } catch (const std::exception& e) {
      throw std::runtime_error("line " + std::to_string(number) + ", \"" + line +
                               "\": " + e.what());
    }
    if (!Answers(line)) continue;
    const std::string expected = TakeExpected(lines, &i);
    if (!actual.empty()) outcome.rewritten += "----\n" + actual;
    // The blank line that ends it, when the author has not written one.
    if (!actual.empty() && i < lines.size() && !lines[i].empty()) outcome.rewritten += "\n";
    if (actual != expected) outcome.differences.push_back({number, line, expected, actual});
  }
  outcome.coverage = script.coverage();
  return outcome;
}

class ScenarioTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, DecidesAsWritten) {
  const std::vector<std::string> lines = ReadLines(PathOf(GetParam()));
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0].rfind("# ", 0), 0u) << "a scenario begins by telling its point";
  Outcome outcome;
  try {
    outcome = Play(lines);
  } catch (const std::exception& e) {
    FAIL() << PathOf(GetParam()).string() << ", " << e.what();
  }
  const char* rewrite = std::getenv("PANDORA_HA_REWRITE");
  if (rewrite != nullptr && std::string(rewrite) == "1") {
    std::ofstream(PathOf(GetParam())) << outcome.rewritten;
    return;
  }
  for (const Difference& difference : outcome.differences) {
    ADD_FAILURE() << PathOf(GetParam()).string() << ":" << difference.line << ": "
                  << difference.command << "\nexpected:\n"
                  << difference.expected << "\nactual:\n"
                  << difference.actual;
  }
}

std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, ScenarioTest, testing::ValuesIn(AllScenarios()), TestName);

// A code that no scenario meets is a sentence that nobody has read.
TEST(ScenarioCoverage, EveryCodeOccurs) {
  Coverage all;
  for (const std::string& name : AllScenarios()) {
    try {
      const Outcome outcome = Play(ReadLines(PathOf(name)));
      all.findings.insert(outcome.coverage.findings.begin(), outcome.coverage.findings.end());
      all.reasons.insert(outcome.coverage.reasons.begin(), outcome.coverage.reasons.end());
    } catch (const std::exception&) {
      continue;  // said by the scenario's own test
    }
  }
  for (const FindingCode code : AllFindingCodes()) {
    // Made from the report of a plan, which Decide never sees.
    if (code == FindingCode::kStepFailed) continue;
    EXPECT_TRUE(all.findings.count(code) > 0) << "no scenario meets " << ToString(code);
  }
  for (const BlockReason reason : AllBlockReasons()) {
    EXPECT_TRUE(all.reasons.count(reason) > 0) << "no scenario is blocked by " << ToString(reason);
  }
}

}  // namespace
}  // namespace pandora_ha::scenarios
