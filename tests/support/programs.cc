#include "tests/support/programs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

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

std::string DocumentOf(const TestCluster& cluster, bool with_endpoint) {
  const ClusterSpec& spec = cluster.spec();
  const DatabaseSpec& database = spec.database;
  const auto number = [](auto duration) { return std::to_string(duration.count()); };
  std::string text =
      "apiVersion: ha.pandorafms.io/v1alpha1\nkind: PandoraCluster\nmetadata: {name: " + spec.name +
      "}\nspec:\n  substrate: local\n  failoverPolicy: " +
      std::string(ToString(spec.failover_policy)) +
      "\n  failoverCoolDownSeconds: " + number(spec.failover_cool_down) +
      "\n  local: {directory: \"" + spec.local->directory +
      "\", flavor: " + (spec.local->flavor == Flavor::kMySql ? "mysql" : "mariadb") +
      (spec.local->server_root.empty() ? "" : ", serverRoot: \"" + spec.local->server_root + "\"") +
      "}\n  lease: {seconds: " + number(std::chrono::ceil<Seconds>(spec.lease.duration)) +
      "}\n  dataIn: {path: \"" + spec.data_in->path + "\"}\n";
  if (with_endpoint)
    text += "  endpoint: {listen: \"" + ToString(*spec.endpoint.listen) +
            "\", holdSeconds: " + number(spec.endpoint.hold) + "}\n";
  text +=
      "  database:\n    detection: {intervalMilliseconds: " + number(database.detection.interval) +
      ", timeoutMilliseconds: " + number(database.detection.timeout) +
      ", connectRetries: " + std::to_string(database.detection.connect_retries) +
      "}\n    replication: {durability: " + std::string(ToString(database.replication.durability)) +
      ", maxLagSeconds: " + number(database.replication.max_lag) + "}\n    configuration: {";
  const char* separator = "";
  for (const auto& [name, value] : database.configuration) {
    text += separator + name + ": \"" + value + "\"";
    separator = ", ";
  }
  text += "}\n    nodes:\n";
  for (const DatabaseNodeSpec& node : database.nodes) {
    text += "    - {name: " + node.name.text + ", address: " + node.address +
            ", serverId: " + std::to_string(node.server_id) +
            (node.label.empty() ? "" : ", label: " + node.label) + "}\n";
  }
  text += "    credentials:\n";
  const auto account = [&](const std::string& role, const Account& who, const Secret& password) {
    const std::string file = cluster.directory() + "/" + role + ".password";
    EXPECT_TRUE(WritePrivateFile(file, password.Reveal()).ok());
    text +=
        "      " + role + ": {user: " + who.user + ", passwordFrom: {file: \"" + file + "\"}}\n";
  };
  const Credentials& who = database.credentials;
  account("admin", who.admin, cluster.passwords().admin);
  account("replication", who.replication, cluster.passwords().replication);
  account("application", who.application, cluster.passwords().application);
  return text;
}

std::vector<std::string> RunManager(const TestCluster& cluster, const std::string& document) {
  const std::string& directory = cluster.directory();
  const std::string config = directory + "/cluster.yaml";
  std::ofstream(config) << document;
  return {"run",
          "--config",
          config,
          "--state",
          directory + "/state",
          "--socket",
          directory + "/api.sock",
          "--listen",
          cluster.spec().endpoint.listen->host + ":8480"};
}

std::vector<std::string> RunEndpoint(const TestCluster& cluster, const Address& listen) {
  return {"endpoint", "--hosts-file", HostsFilePath(cluster.spec()), "--listen", ToString(listen)};
}

}  // namespace pandora_ha
