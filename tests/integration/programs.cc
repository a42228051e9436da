#include "tests/integration/programs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "reconciler/base/descriptor.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {

Program::Program(const std::vector<std::string>& words, const std::string& log) {
  const Descriptor output(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  SpawnOptions spawn;
  spawn.argv = {PANDORA_HA_PROGRAM};
  spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
  spawn.output = output.get();
  auto pid = Spawn(spawn);
  EXPECT_TRUE(pid.ok()) << pid.error().message;
  if (pid.ok()) pid_ = *pid;
}

Program::~Program() {
  Signal(SIGKILL);
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

void Program::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

int Program::WaitForEnd(Seconds at_most) {
  const Deadline deadline(SystemClock(), at_most);
  int status = 0;
  while (pid_ > 0 && !deadline.passed()) {
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    usleep(1000);
  }
  return -1;
}

std::string DocumentOf(const TestCluster& cluster, const DocumentWords& words) {
  const ClusterSpec& spec = cluster.spec();
  const auto number = [](int n) { return std::to_string(n); };
  std::string text =
      "apiVersion: ha.pandorafms.io/v1alpha1\nkind: PandoraCluster\nmetadata: {name: " +
      words.name + "}\nspec:\n  substrate: local\n  failoverPolicy: " + words.policy +
      "\n  failoverCoolDownSeconds: 0\n  local: {directory: \"" + spec.local->directory +
      "\", flavor: " + (spec.local->flavor == Flavor::kMySql ? "mysql" : "mariadb") +
      (spec.local->server_root.empty() ? "" : ", serverRoot: \"" + spec.local->server_root + "\"") +
      "}\n  lease: {seconds: " + number(words.lease) + "}\n  dataIn: {path: \"" +
      spec.data_in->path + "\"}\n";
  if (words.endpoint) {
    text += "  endpoint: {listen: \"" + ToString(*spec.endpoint.listen) +
            "\", holdSeconds: " + number(words.hold) + "}\n";
  }
  text += "  database:\n    detection: {intervalMilliseconds: " + number(words.interval) +
          ", timeoutMilliseconds: " + number(words.timeout) +
          ", connectRetries: 2}\n    replication: {durability: " + words.durability +
          ", maxLagSeconds: " + number(words.max_lag) + "}\n    nodes:\n";
  int left = words.nodes;
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    text += "    - {name: " + node.name.text + ", address: " + node.address +
            ", serverId: " + std::to_string(node.server_id) +
            (node.server_id == 1 ? ", label: " + words.label : "") + "}\n";
    if (--left == 0) break;
  }
  text += "    credentials:\n";
  const auto account = [&](const std::string& role, const Account& who, const Secret& password) {
    const std::string file = cluster.directory() + "/" + role + ".password";
    EXPECT_TRUE(WritePrivateFile(file, password.Reveal()).ok());
    text +=
        "      " + role + ": {user: " + who.user + ", passwordFrom: {file: \"" + file + "\"}}\n";
  };
  const Credentials& who = spec.database.credentials;
  account("admin", who.admin, cluster.passwords().admin);
  account("replication", who.replication, cluster.passwords().replication);
  account("application", who.application, cluster.passwords().application);
  return text;
}

}  // namespace pandora_ha
