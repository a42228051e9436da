// A whole cluster of real servers on this machine, for one test.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "reconciler/app/demo_writer.h"
#include "reconciler/app/manager.h"
#include "reconciler/mysql/rows.h"
#include "reconciler/mysql/session.h"
#include "tests/support/client_writer.h"

namespace pandora_ha {

// A server to test on: the installed MariaDB, or one of a root folder.
struct TestedFlavor {
  std::string name;  // "MariaDB", "MySQL", "MariaDB118"
  Flavor flavor = Flavor::kMariaDb;
  std::string server_root;  // empty: installed
};

// "MariaDB" when it is installed; the others when PANDORA_HA_TEST_MYSQL_ROOT and
// PANDORA_HA_TEST_MARIADB118_ROOT name their root folders. Nothing otherwise: a reason to skip.
std::optional<TestedFlavor> FindFlavor(const std::string& name);

// Its directories, addresses and processes are its own and go with it.
class TestCluster {
 public:
  using Adjust = std::function<void(ClusterSpec&)>;

  // A semiSync cluster (withoutReplica: degrade) of `nodes` nodes at a 200 ms interval.
  explicit TestCluster(const TestedFlavor& flavor, int nodes = 2, const Adjust& adjust = {});
  ~TestCluster();

  void StartManager(const std::string& state = "/state");
  // Servers and supervisors go on.
  void StopManager();
  // A manager in a process of its own, so that it can be killed as a crash would. This process sees
  // no snapshot of it. `then` runs in that process beside the manager. REQUIRES: no other manager
  // runs, and this process has one thread.
  void StartManagerProcess(const std::function<void()>& then = {},
                           const std::string& state = "/state");
  void KillManagerProcess();
  // When it has ended, or was stopped, by then.
  bool WaitUntilManagerProcessIsStruck(Seconds at_most);
  void SignalManagerProcess(int signal) const;
  // Beside the process: a manager in this process with a state directory of its own.
  void StartSecondManager(const std::string& state = "/state2") { StartManager(state); }

  // Waits for a snapshot that satisfies `wanted`; else fails the test with what was seen last.
  bool WaitFor(const std::string& what, const std::function<bool(const Snapshot&)>& wanted,
               Seconds at_most = Seconds(40));
  bool WaitHealthy() {
    return WaitFor("Healthy",
                   [](const Snapshot& s) { return s.status.state == ClusterState::kHealthy; });
  }
  Noticeboard::Pinned Last() const { return noticeboard_.Last(spec_.name); }
  NodeName Primary() const;

  const Noticeboard& noticeboard() const { return noticeboard_; }

  pid_t ServerPid(const NodeName& node) const;
  void Signal(const NodeName& node, int signal) const;

  // As the admin, on the node itself.
  Result<Rows> Ask(const NodeName& node, const std::string& sql) const;
  // A session of the admin's that stays.
  Result<std::unique_ptr<Session>> Connect(const NodeName& node) const;
  // First cell as text, or the error in brackets.
  std::string Value(const NodeName& node, const std::string& sql) const;

  std::unique_ptr<DemoWriter> NewWriter(Milliseconds pause = Milliseconds(1)) const;

  // Through the endpoint, as the application; makes the table. REQUIRES: there is a primary.
  std::unique_ptr<ClientWriter> NewClient(bool connect_each, Duration pause = {});
  // Stops the writer and asks the primary which of its acknowledged rows are not there.
  Result<std::uint64_t> CountLost(ClientWriter& writer) const;

  // Hands a wish to the manager in this process and returns its id.
  std::string HandIn(Wish wish, Seconds within = Seconds(20));
  // What became of it, as soon as it is over; fails the test when it is not by then.
  std::optional<IntentRecord> WaitForEnd(const std::string& id, Seconds at_most = Seconds(40));

  // What the next StartManager() goes by.
  ClusterSpec& spec() { return spec_; }
  const ClusterSpec& spec() const { return spec_; }
  const ResolvedCredentials& passwords() const { return passwords_; }
  ResolvedCredentials& passwords() { return passwords_; }
  const std::string& directory() const { return directory_; }
  const Manager& manager() const { return *manager_; }
  Result<std::vector<Event>> History() const { return manager_->History(1000); }

 private:
  std::string directory_;
  ClusterSpec spec_;
  ResolvedCredentials passwords_;
  Noticeboard noticeboard_;
  std::optional<Pulse> pulse_;
  std::unique_ptr<Manager> manager_;
  std::jthread thread_;
  pid_t manager_process_ = 0;
  int asked_ = 0;
  std::uint64_t next_id_ = 1;
};

}  // namespace pandora_ha
