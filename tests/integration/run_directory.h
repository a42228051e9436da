// `pandora-ha run --config DIRECTORY` on real servers, and what it answers.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reconciler/api/client.h"
#include "tests/integration/on_servers.h"
#include "tests/support/programs.h"

namespace pandora_ha {

class RunDirectory {
 public:
  // Its files are in a directory of that cluster, which outlives it.
  explicit RunDirectory(const TestCluster& cluster)
      : home_(cluster.directory() + "/run"),
        listen_(cluster.spec().endpoint.listen->host + ":8480"),
        client_(home_ + "/api.sock") {
    std::filesystem::create_directories(documents());
  }

  std::string documents() const { return home_ + "/documents"; }
  std::string At(const std::string& file) const { return documents() + "/" + file; }
  void Write(const std::string& file, const std::string& text) const {
    std::ofstream(At(file), std::ios::trunc) << text;
  }
  void Start() {
    program_.emplace(
        std::vector<std::string>{"run", "--config", documents(), "--state", home_ + "/state",
                                 "--socket", home_ + "/api.sock", "--listen", listen_},
        home_ + "/log");
  }
  Program& program() { return *program_; }
  std::string Log() const { return FileText(home_ + "/log"); }

  nlohmann::json Get(const std::string& target) const {
    auto answer = client_.Get("/api/v1/clusters" + target, Deadline(SystemClock(), Seconds(5)));
    return answer.ok() ? *answer : nlohmann::json::object();
  }
  nlohmann::json Status(const std::string& cluster) const { return Get("/" + cluster); }
  std::string State(const std::string& cluster) const {
    return Status(cluster).value("state", std::string());
  }
  std::string Primary(const std::string& cluster) const {
    return Status(cluster).value("primary", std::string());
  }
  bool WaitHealthy(const std::string& cluster) const {
    const bool came = WaitUntil(
        cluster + " is Healthy, semiSync in force",
        [&] {
          const nlohmann::json status = Status(cluster);
          return status.value("state", std::string()) == "Healthy" &&
                 status.dump().find("\"inForce\":\"semiSync\"") != std::string::npos;
        },
        Seconds(90));
    if (!came) std::printf("%s\n%s\n", Status(cluster).dump(2).c_str(), Log().c_str());
    return came;
  }
  // After the kill of that node under load. False: it waits as diverged with what was in flight, as
  // MySQL may (see OnServers::ExpectFollowsOrIsDiverged).
  bool WaitFollows(const std::string& cluster, const std::string& killed) const {
    const auto diverged = [&] {
      return Finding(cluster, "NodeDiverged").find(killed) != std::string::npos;
    };
    EXPECT_TRUE(WaitUntil(
        killed + " is judged", [&] { return State(cluster) == "Healthy" || diverged(); },
        Seconds(90)));
    return !diverged();
  }
  // What the finding of that code says; empty: there is none.
  std::string Finding(const std::string& cluster, const std::string& code) const {
    for (const auto& finding : Status(cluster).value("findings", nlohmann::json::array())) {
      if (finding.value("code", std::string()) == code) return finding.value("says", std::string());
    }
    return "";
  }
  // The messages of all events with that reason, the oldest first.
  std::vector<std::string> Events(const std::string& cluster, const std::string& reason) const {
    std::vector<std::string> messages;
    for (const auto& event :
         Get("/" + cluster + "/history?limit=1000").value("events", nlohmann::json::array())) {
      if (event.value("reason", std::string()) == reason)
        messages.push_back(event.value("message", std::string()));
    }
    return messages;
  }

 private:
  const std::string home_, listen_;
  const ApiClient client_;
  std::optional<Program> program_;
};

}  // namespace pandora_ha
