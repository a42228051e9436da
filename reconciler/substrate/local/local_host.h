// The local substrate's Host: one database server of this machine, owned by a supervisor.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "reconciler/base/secret.h"
#include "reconciler/model/spec.h"
#include "reconciler/port/host.h"
#include "reconciler/substrate/local/server_program.h"
#include "reconciler/substrate/local/supervisor_client.h"

namespace pandora_ha {

struct LocalHostOptions {
  ServerProgram program;
  ServerSettings settings;  // settings.directory is made when missing
  NodeName node;
  std::string schema;      // Pandora's
  std::string admin_user;  // the account of a fresh data directory
  Secret admin_password;
  TlsSpec tls;                                  // of sessions with the cluster's servers
  Seconds restart_allowed{0};                   // RestartSpec::allow
  std::vector<std::string> supervisor_command;  // see SupervisorClientOptions
  std::function<void()> on_change;              // likewise
};

class LocalHost final : public Host {
 public:
  // Does not wait for the supervisor. kInvalid for settings no server can run with. `clock` must
  // outlive the host.
  static Result<std::unique_ptr<LocalHost>> Open(LocalHostOptions options, const Clock& clock);

  Seen<ProcessState> Process() const override;
  bool CanFence() const override;
  // Also lifts a fence. Does nothing when the server runs. Takes 2 s at most, whatever the
  // deadline.
  Status Start(const StartOptions& options, Deadline deadline) override;
  Status Fence(Deadline deadline) override;
  // From another node of the same cluster, whose directory lies beside this one's.
  Status Rebuild(const CopyOptions& options, Deadline deadline) override;
  Status DiscardOldCopy(Deadline deadline) override;
  Status Archive(const ArchiveOptions& options, Deadline deadline) override;
  Status Merge(const MergeIntoPrimary& order, Deadline deadline) override;
  Status StopMerge(const std::string& id, Deadline deadline) override;
  Status Rewind(const std::string& id, const std::string& archive, Deadline deadline) override;
  Status Verify(const std::string& id, const NodeName& primary, const Address& address,
                Deadline deadline) override;
  Status Claim(Deadline deadline) override;
  bool Claimed() const override;

  // Other settings from the next start on; a server that runs is left alone. kInvalid as Open(),
  // and nothing has changed then. REQUIRES: the same directory.
  Status Change(LocalHostOptions options);

  // A clean shutdown. It acknowledges what waits for an acknowledgement (docs/invariants.md): for
  // the end of a demonstration, never for a failover.
  Status Stop(Deadline deadline);
  // SIGKILL, without a fence: what a crash does.
  Status Kill(Deadline deadline);
  // See SupervisorClient.
  Status StopAndQuit(Deadline deadline);
  bool WaitFor(const std::function<bool(const Seen<SupervisorState>&)>& condition,
               Deadline deadline) const {
    return client_.WaitFor(condition, deadline);
  }

  const std::string& directory() const { return directory_; }

 private:
  LocalHost(LocalHostOptions options, const Clock& clock);
  Status Ask(SupervisorVerb verb, Deadline deadline);
  // A start of either kind, apart from how its data directory is made. Writes my.cnf unless a
  // server runs with it.
  Result<SupervisorRequest> StartRequest(const LocalHostOptions& options, bool discard) const;
  LocalHostOptions Options() const;

  const std::string directory_;
  mutable std::mutex mutex_;
  LocalHostOptions options_;
  SupervisorClient client_;
};

}  // namespace pandora_ha
