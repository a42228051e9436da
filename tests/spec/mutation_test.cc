// No text makes the loader throw, crash or contradict itself.
#include <gtest/gtest.h>

#include <random>

#include "reconciler/spec/load_spec.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

constexpr int kMutations = 20'000;

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::size_t Below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  std::string Mutate(std::string text) {
    for (std::size_t i = 0, count = 1 + Below(4); i < count && text.size() > 2; ++i)
      MutateOnce(&text);
    return text;
  }

 private:
  void MutateOnce(std::string* text) {
    static const std::vector<std::string> kPieces = {"{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ":",
                                                     ": ",
                                                     "- ",
                                                     "&a ",
                                                     "*a",
                                                     "!t ",
                                                     "\"",
                                                     "'",
                                                     "\n",
                                                     "\t",
                                                     "  ",
                                                     "#",
                                                     "|",
                                                     ">",
                                                     "%",
                                                     "---\n",
                                                     "...\n",
                                                     "<<: ",
                                                     "? ",
                                                     "yes",
                                                     "null",
                                                     "-1",
                                                     "99999999999999999999",
                                                     "1e9",
                                                     std::string(1, '\0'),
                                                     "\xFF",
                                                     "\xEF\xBB\xBF",
                                                     "\r",
                                                     "\xE2\x80\xA8",
                                                     "kubernetes",
                                                     "local",
                                                     "semiSync",
                                                     "password: x",
                                                     "\x04"};
    const std::size_t at = Below(text->size());
    const std::size_t length = 1 + Below(20);
    switch (Below(5)) {
      case 0:
        text->erase(at, length);
        break;
      case 1:
        text->insert(at, kPieces[Below(kPieces.size())]);
        break;
      case 2:
        text->insert(Below(text->size()), text->substr(at, length * 4));
        break;
      case 3:
        (*text)[at] = static_cast<char>(Below(256));
        break;
      case 4:
        text->replace(at, length, kPieces[Below(kPieces.size())]);
        break;
    }
  }

  std::mt19937 random_;
};

TEST(Mutations, NeverCrashTheLoader) {
  const auto given = GetEnvironment("PANDORA_HA_SEED");
  const auto seed = given ? static_cast<std::uint32_t>(std::stoul(*given)) : std::random_device{}();
  std::cout << "seed " << seed << " (PANDORA_HA_SEED=" << seed << " repeats it)\n";
  Mutator mutator(seed);
  std::vector<std::string> samples;
  for (const char* name : {"standalone/minimal.yaml", "standalone/local-demo.yaml",
                           "standalone/full.yaml", "kubernetes/pandora.yaml"}) {
    samples.push_back(ReadAll(SourceFile(std::string("manifests/") + name)));
  }
  int good = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string text = mutator.Mutate(samples[mutator.Below(samples.size())]);
    const LoadedSpec loaded = LoadSpecText("x", text);
    ASSERT_EQ(loaded.ok(), loaded.problems.empty()) << text;
    good += loaded.ok() ? 1 : 0;
    for (const Problem& problem : loaded.problems) {
      ASSERT_FALSE(problem.message.empty());
      ASSERT_EQ(FormatProblem(problem).find('\n'), std::string::npos) << text;
    }
  }
  std::cout << good << " of " << kMutations << " mutations are good documents\n";
  EXPECT_GT(good, 0);
}

}  // namespace
}  // namespace pandora_ha
