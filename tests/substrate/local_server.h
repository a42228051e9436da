// A real database server in a directory of the test's own.
#pragma once

#include <mysql.h>

#include <memory>
#include <optional>
#include <string>

#include "reconciler/substrate/local/local_host.h"

namespace pandora_ha {

using Phase = ProcessState::Phase;

// The servers that the tests run on: "MariaDB" (as installed), and, from the root folders that
// PANDORA_HA_TEST_MARIADB118_ROOT and PANDORA_HA_TEST_MYSQL_ROOT name, "MariaDB118" and "MySQL".
// Nothing when the variable is not set: a reason to skip. Fails the test when there is a root
// folder that cannot be used.
std::optional<ServerProgram> TestedServer(const std::string& name);

// Makes a node with an address that no other test uses, and ends everything at its own end.
class LocalServer {
 public:
  explicit LocalServer(ServerProgram program, Seconds restart_allowed = Seconds(0));
  ~LocalServer();

  std::unique_ptr<LocalHost> NewManager(std::function<void()> on_change = {}) const;
  const std::string& directory() const { return options_.settings.directory; }
  Deadline Soon() const { return {SystemClock(), Seconds(40)}; }

  // Waits until the server answers on its TCP address.
  Status WaitAnswers() const;
  // First column of the first row, over TCP as root; the error's text when it fails.
  std::string Ask(const std::string& sql, const std::string& password = "the 'right' one") const;

 private:
  LocalHostOptions options_;
};

bool IsRunning(const Seen<SupervisorState>& state);
bool HasEnded(const Seen<SupervisorState>& state);
std::int64_t SupervisorPid(const LocalHost& host, Deadline deadline);

}  // namespace pandora_ha
