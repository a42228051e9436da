// The documents that `--config` names, as they lie there.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace pandora_ha {

struct DocumentFile {
  std::string path;
  std::string text{};
  // Why it cannot be read, as a part of a sentence that begins with the path; empty: it was.
  std::string problem{};

  bool operator==(const DocumentFile&) const = default;
};

// Of a file: that one, always, also when it is not there. Of a directory: every *.yaml and *.yml in
// it, without those whose name begins with a dot; subdirectories are not looked into. A file that
// is still being written is not read: a change counts when two looks in a row have found the same
// (size, time, inode; of the file that a symbolic link leads to). One thread at a time.
class DocumentWatch {
 public:
  explicit DocumentWatch(std::string config);

  // True when files() is another list than before, or one of them was written anew. `at_once`: what
  // is there counts as it is, and everything is read again.
  bool Look(bool at_once = false);

  // By path.
  const std::map<std::string, DocumentFile>& files() const { return files_; }
  // Why the directory tells nothing (it cannot be read, or is empty); files() is then as it was.
  const std::string& problem() const { return problem_; }
  bool is_directory() const { return is_directory_; }

 private:
  struct Stamp {
    std::int64_t size = 0, seconds = 0, nanoseconds = 0;
    std::uint64_t device = 0, inode = 0;
    bool there = false;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::map<std::string, Stamp>;

  static Stamp StampOf(const std::string& path);
  bool List(Stamps* stamps);

  const std::string config_;
  const bool is_directory_;
  Stamps last_;   // of the last look
  Stamps taken_;  // of what files_ holds
  std::map<std::string, DocumentFile> files_;
  std::string problem_;
};

}  // namespace pandora_ha
