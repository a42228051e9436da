// A real database server in a directory of the test's own.
#pragma once

#include <mysql.h>

#include <memory>
#include <optional>
#include <string>

#include "reconciler/substrate/local/local_host.h"

namespace pandora_ha {

// The flavours that the tests run on: MariaDB as installed, MySQL from PANDORA_HA_TEST_MYSQL_ROOT.
// Nothing when there is none, with the reason to skip.
Result<ServerProgram> TestedServer(Flavor flavor);

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

}  // namespace pandora_ha
