// Documents of small clusters in a directory of the test's own.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace pandora_ha {

// Number `n` names what is the cluster's own: name c1, endpoint and servers at 127.9.N.*.
inline std::string DocumentOf(const std::string& name, int n, const std::string& more = "") {
  const std::string net = "127.9." + std::to_string(n) + ".";
  return "apiVersion: ha.pandorafms.io/v1alpha1\n"
         "kind: PandoraCluster\n"
         "metadata: {name: " +
         name +
         "}\n"
         "spec:\n"
         "  substrate: hosts\n"
         "  database:\n"
         "    nodes:\n"
         "    - {name: node1, address: " +
         net +
         "1, serverId: 1}\n"
         "    - {name: node2, address: " +
         net +
         "2, serverId: 2}\n"
         "    credentials:\n"
         "      admin: {user: root, passwordFrom: {file: /tmp/p}}\n"
         "      replication: {user: replica, passwordFrom: {file: /tmp/p}}\n"
         "      application: {user: pandora, passwordFrom: {file: /tmp/p}}\n"
         "  endpoint: {listen: \"" +
         net + "3:3306\"}\n" + more;
}

class DocumentDirectory {
 public:
  DocumentDirectory() {
    char made[] = "/tmp/pha-documents-XXXXXX";
    path_ = mkdtemp(made);
  }
  ~DocumentDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string At(const std::string& file) const { return path_ + "/" + file; }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(At(file), std::ios::trunc) << text;
  }
  // As a careful editor does: never seen half-written, and another inode.
  void Replace(const std::string& file, const std::string& text) const {
    Write(".new", text);
    std::filesystem::rename(At(".new"), At(file));
  }
  void Remove(const std::string& file) const { std::filesystem::remove(At(file)); }

 private:
  std::string path_;
};

}  // namespace pandora_ha
