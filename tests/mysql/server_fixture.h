// Real database servers for tests: one child process each, on a loopback address of its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reconciler/model/ids.h"
#include "reconciler/model/spec.h"
#include "reconciler/mysql/session.h"
#include "reconciler/port/database.h"

namespace pandora_ha::testing {

// Empty: tests of this flavor can run; else why they cannot, for GTEST_SKIP.
std::string WhyUnavailable(Flavor flavor);

// Asks every few milliseconds; false when the budget passed first.
bool WaitUntil(Milliseconds budget, const std::function<bool()>& condition);

inline Deadline In(Milliseconds budget) {
  return Deadline(SystemClock(), budget);
}

// Started read-only, without replication, with an account admin/admin-pw for every host. The
// destructor kills it and removes its files; the kernel does the first when the test dies.
class TestServer {
 public:
  // `host` in 1..9 tells the servers of one test apart.
  TestServer(Flavor flavor, int host, ServerId server_id, std::vector<std::string> arguments = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  void Start();  // waits until it answers
  void Kill();   // SIGKILL and wait
  void Signal(int number);
  Address address() const { return address_; }
  const std::string& directory() const { return directory_; }
  std::unique_ptr<Session> Admin() const;
  // Runs a statement as admin; the first cell of the first row, or "" without one. Aborts on
  // errors.
  std::string Sql(const std::string& sql) const;

 private:
  std::vector<std::string> CommandLine() const;

  const Flavor flavor_;
  const ServerId server_id_;
  const std::vector<std::string> arguments_;
  Address address_;
  std::string directory_;
  pid_t pid_ = -1;
};

// The loopback address of server `host` of this process.
std::string LoopbackAddress(int host);
// A fresh directory of this process.
std::string TestDirectory(const std::string& name);
// Runs a program to its end; its exit code.
int RunProgram(const std::vector<std::string>& argv, const std::string& input_file = "/dev/null");

ClusterSpec TestSpec();
ResolvedCredentials TestPasswords();
std::unique_ptr<DatabaseNode> NodeFor(const TestServer& server);

}  // namespace pandora_ha::testing
