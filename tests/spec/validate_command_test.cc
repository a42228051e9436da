#include "reconciler/spec/validate_command.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;

struct Ran {
  int exit = 0;
  std::string out, err;
};

Ran Validate(const std::vector<std::string>& files, ValidateFormat format) {
  std::ostringstream out, err;
  const int exit = ValidateCommand(files, format, out, err);
  return {exit, out.str(), err.str()};
}

const std::string kGood = SourceFile("manifests/standalone/local-demo.yaml");

TEST(ValidateCommand, AGoodFile) {
  const Ran ran = Validate({kGood}, ValidateFormat::kTable);
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, kGood + ": valid: cluster demo on local, 0 warnings\n");
  EXPECT_EQ(ran.err, "");
}

TEST(ValidateCommand, WarnsOfWhatIsNotReconciled) {
  const Ran ran = Validate({SourceFile("manifests/standalone/full.yaml")}, ValidateFormat::kTable);
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("spec.database.virtualIP: not reconciled yet: "));
}

TEST(ValidateCommand, OneBadFileAmongGoodOnes) {
  const ScratchDirectory scratch;
  const std::string bad = scratch.Write("bad.yaml", "kind: x\n");
  const Ran ran = Validate({kGood, bad}, ValidateFormat::kTable);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.out, HasSubstr("valid: cluster demo"));
  EXPECT_THAT(ran.err,
              HasSubstr(bad + ":1:7: kind: found the text 'x'; must be 'PandoraCluster'\n"));
  EXPECT_THAT(
      ran.err,
      HasSubstr(bad + ": not valid: 4 problems, and perhaps more between fields when these are "
                      "right; nothing was changed\n"));
}

TEST(ValidateCommand, TwoClustersOfOneName) {
  const ScratchDirectory scratch;
  const std::string copy = scratch.Write("copy.yaml", ReadAll(kGood));
  const Ran ran = Validate({kGood, copy}, ValidateFormat::kTable);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("'demo' is already declared in " + kGood));
}

TEST(ValidateCommand, JsonIsOneDocument) {
  const ScratchDirectory scratch;
  const std::string bad = scratch.Write(
      "b\xFF"
      "d.yaml",
      ReadAll(SourceFile("tests/spec/bad/091-rule-address.yaml")));
  const Ran ran = Validate({kGood, bad}, ValidateFormat::kJson);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_EQ(ran.err, "");
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["files"][0]["cluster"], "demo");
  const auto& problem = json["files"][1]["problems"][0];
  EXPECT_EQ(problem["rule"], "UniqueAddress");
  EXPECT_EQ(problem["line"], 9);
  EXPECT_EQ(problem["path"], "spec.database.nodes[1].address");
}

TEST(ValidateCommand, NoFileIsAUsageError) {
  const Ran ran = Validate({}, ValidateFormat::kTable);
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("no file is named"));
}

}  // namespace
}  // namespace pandora_ha
