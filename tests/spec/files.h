// Files of the source tree, and of a test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "reconciler/base/environment.h"

namespace pandora_ha {

inline std::filesystem::path SourceFile(const std::string& name) {
  return std::filesystem::path(PANDORA_HA_SOURCE_DIR) / name;
}

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// With PANDORA_HA_REWRITE=1 a test writes what it got instead of comparing; look at every changed
// line before you commit it.
inline void ExpectFile(const std::filesystem::path& path, const std::string& got) {
  if (GetEnvironment("PANDORA_HA_REWRITE") == "1") std::ofstream(path, std::ios::binary) << got;
  EXPECT_EQ(got, ReadAll(path)) << path << " differs; PANDORA_HA_REWRITE=1 writes it";
}

// A directory that goes with the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "pandora-ha-spec-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = path_ / name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string Path(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace pandora_ha
