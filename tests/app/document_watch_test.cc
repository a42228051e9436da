#include "reconciler/app/document_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/app/documents.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class DocumentWatchTest : public testing::Test {
 protected:
  std::vector<std::string> Names(const DocumentWatch& watch) const {
    std::vector<std::string> names;
    for (const auto& [path, file] : watch.files()) names.push_back(fs::path(path).filename());
    return names;
  }
  std::string Text(const DocumentWatch& watch, const std::string& file) const {
    const auto found = watch.files().find(directory_.At(file));
    return found == watch.files().end() ? "none" : found->second.text + found->second.problem;
  }

  DocumentDirectory directory_;
};

TEST_F(DocumentWatchTest, ADirectoryIsItsDocumentsAndNothingElse) {
  for (const char* file : {"b.yaml", "a.yml", ".hidden.yaml", "c.yaml~", "d.json", "e.yaml.swp"})
    directory_.Write(file, file);
  fs::create_directory(directory_.At("below"));
  directory_.Write("below/f.yaml", "f");
  DocumentWatch watch(directory_.path());
  EXPECT_TRUE(watch.is_directory());
  EXPECT_TRUE(watch.Look(true));
  EXPECT_THAT(Names(watch), ElementsAre("a.yml", "b.yaml"));
  EXPECT_EQ(Text(watch, "b.yaml"), "b.yaml");
  EXPECT_FALSE(watch.Look());
  EXPECT_FALSE(watch.Look()) << "nothing has changed";
}

TEST_F(DocumentWatchTest, AFileThatIsBeingWrittenIsNotRead) {
  directory_.Write("a.yaml", "whole");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  std::ofstream writing(directory_.At("a.yaml"), std::ios::trunc);
  for (int part = 0; part < 5; ++part) {
    writing << "part " << part << std::endl;
    EXPECT_FALSE(watch.Look()) << part;
    EXPECT_EQ(Text(watch, "a.yaml"), "whole");
  }
  EXPECT_TRUE(watch.Look()) << "the same as at the last look";
  EXPECT_THAT(Text(watch, "a.yaml"), HasSubstr("part 4"));
}

TEST_F(DocumentWatchTest, OneThatIsAlwaysBeingWrittenHoldsUpNoOther) {
  directory_.Write("a.yaml", "a");
  directory_.Write("b.yaml", "b");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  directory_.Write("b.yaml", "b changed");
  directory_.Write("a.yaml", "a 1");
  EXPECT_FALSE(watch.Look());
  directory_.Write("a.yaml", "a is longer");
  EXPECT_TRUE(watch.Look());
  EXPECT_EQ(Text(watch, "b.yaml"), "b changed");
  EXPECT_EQ(Text(watch, "a.yaml"), "a");
}

TEST_F(DocumentWatchTest, AReplacedFileOfTheSameSizeIsAnother) {
  directory_.Write("a.yaml", "one");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  const auto written = fs::last_write_time(directory_.At("a.yaml"));
  directory_.Replace("a.yaml", "two");
  fs::last_write_time(directory_.At("a.yaml"), written);
  EXPECT_FALSE(watch.Look());
  EXPECT_TRUE(watch.Look());
  EXPECT_EQ(Text(watch, "a.yaml"), "two");
}

TEST_F(DocumentWatchTest, FilesComeAndGo) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  directory_.Write("b.yaml", "b");
  EXPECT_FALSE(watch.Look());
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Names(watch), ElementsAre("a.yaml", "b.yaml"));
  directory_.Remove("a.yaml");
  EXPECT_FALSE(watch.Look()) << "an editor may be about to write it anew";
  directory_.Write("a.yaml", "again");
  EXPECT_FALSE(watch.Look());
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Names(watch), ElementsAre("a.yaml", "b.yaml"));
  directory_.Remove("a.yaml");
  watch.Look();
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Names(watch), ElementsAre("b.yaml"));
}

TEST_F(DocumentWatchTest, ARenameIsOneChange) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  fs::rename(directory_.At("a.yaml"), directory_.At("b.yaml"));
  EXPECT_FALSE(watch.Look());
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Names(watch), ElementsAre("b.yaml"));
}

TEST_F(DocumentWatchTest, AtOnceIsWhatIsThere) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  EXPECT_TRUE(watch.Look(true)) << "passwords may have changed";
  directory_.Write("a.yaml", "another");
  EXPECT_TRUE(watch.Look(true));
  EXPECT_EQ(Text(watch, "a.yaml"), "another");
}

// How Kubernetes mounts files: links into a directory whose link is exchanged.
TEST_F(DocumentWatchTest, AnExchangedLinkIsAChange) {
  fs::create_directories(directory_.At(".one"));
  fs::create_directories(directory_.At(".two"));
  directory_.Write(".one/a.yaml", "one");
  directory_.Write(".two/a.yaml", "two");
  fs::create_symlink(".one", directory_.At(".data"));
  fs::create_symlink(".data/a.yaml", directory_.At("a.yaml"));
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  EXPECT_EQ(Text(watch, "a.yaml"), "one");
  fs::create_symlink(".two", directory_.At(".next"));
  fs::rename(directory_.At(".next"), directory_.At(".data"));
  EXPECT_FALSE(watch.Look());
  EXPECT_TRUE(watch.Look());
  EXPECT_EQ(Text(watch, "a.yaml"), "two");
}

TEST_F(DocumentWatchTest, OneFileThatIsGoneIsAProblemAndNoRemoval) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.At("a.yaml"));
  EXPECT_FALSE(watch.is_directory());
  watch.Look(true);
  EXPECT_EQ(Text(watch, "a.yaml"), "a");
  directory_.Remove("a.yaml");
  watch.Look();
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Text(watch, "a.yaml"), HasSubstr("cannot be read: No such file"));
  directory_.Write("a.yaml", "back");
  watch.Look();
  EXPECT_TRUE(watch.Look());
  EXPECT_EQ(Text(watch, "a.yaml"), "back");
}

// As when its file system is not mounted.
TEST_F(DocumentWatchTest, ADirectoryWithoutAnyDocumentTakesNothingWithIt) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  directory_.Remove("a.yaml");
  for (int look = 0; look < 3; ++look) EXPECT_FALSE(watch.Look(look == 2));
  EXPECT_THAT(watch.problem(), HasSubstr("holds no document"));
  EXPECT_THAT(Names(watch), ElementsAre("a.yaml"));
  directory_.Write("b.yaml", "b");
  watch.Look();
  EXPECT_TRUE(watch.Look());
  EXPECT_THAT(Names(watch), ElementsAre("b.yaml"));
}

TEST_F(DocumentWatchTest, ADirectoryThatIsGoneTakesNothingWithIt) {
  directory_.Write("a.yaml", "a");
  DocumentWatch watch(directory_.path());
  watch.Look(true);
  const std::string moved = directory_.path() + ".moved";
  fs::rename(directory_.path(), moved);
  for (int look = 0; look < 3; ++look) EXPECT_FALSE(watch.Look());
  EXPECT_FALSE(watch.Look(true));
  EXPECT_THAT(watch.problem(), HasSubstr("cannot be read"));
  EXPECT_THAT(Names(watch), ElementsAre("a.yaml"));
  fs::rename(moved, directory_.path());
  EXPECT_FALSE(watch.Look());
  EXPECT_EQ(watch.problem(), "");
}

}  // namespace
}  // namespace pandora_ha
