#include "tests/support/network.h"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

constexpr Seconds kCommandWithin{10};

Status Ip(const std::string& words) {
  for (const char* program : {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"}) {
    if (access(program, X_OK) != 0) continue;
    SpawnOptions command;
    command.argv = {program};
    std::istringstream text(words);
    for (std::string word; text >> word;) command.argv.push_back(word);
    PHA_ASSIGN_OR_RETURN(const Finished done,
                         RunToEnd(command, Deadline(SystemClock(), kCommandWithin)));
    if (done.exit_status == 0) return Ok();
    return Error{ErrorCode::kRefused, "ip " + words + ": " + done.output};
  }
  return Error{ErrorCode::kNotFound, "there is no program `ip`; install iproute2"};
}

// Before the rule that makes every 127.x.y.z local.
Status Rules(const std::string& verb, const std::string& address) {
  PHA_TRY(Ip("rule " + verb + " pref 10 to " + address + " unreachable"));
  return Ip("rule " + verb + " pref 10 from " + address + " unreachable");
}

}  // namespace

Status PrivateNetwork::Enter() {
  if (unshare(CLONE_NEWNET) != 0) {
    return Error{ErrorCode::kRefused,
                 std::string("no network namespace of our own: ") + std::strerror(errno), errno};
  }
  PHA_TRY(Ip("link set lo up"));
  PHA_TRY(Ip("rule add pref 100 lookup local"));
  return Ip("rule del pref 0");
}

Status PrivateNetwork::CutOff(const std::string& address) {
  return Rules("add", address);
}

Status PrivateNetwork::Heal(const std::string& address) {
  return Rules("del", address);
}

}  // namespace pandora_ha
