#include "reconciler/publish/publishers.h"

#include <algorithm>
#include <functional>
#include <future>
#include <map>

namespace pandora_ha {
namespace {

Status TellAll(const std::vector<Publisher*>& parts,
               const std::function<Status(Publisher&)>& tell) {
  Status joined;
  for (Publisher* part : parts) {
    const Status status = tell(*part);
    if (status.ok()) continue;
    if (joined.ok()) {
      joined = status;
    } else {
      joined =
          Error{joined.error().code, joined.error().message + " Also: " + status.error().message,
                joined.error().number};
    }
  }
  return joined;
}

}  // namespace

Status Publishers::Publish(const PublishedPrimary& primary) {
  return TellAll(parts_, [&](Publisher& part) { return part.Publish(primary); });
}

// All at once: each waits for clients of its own.
Status Publishers::Drain(Duration grace, Deadline deadline) {
  std::map<Publisher*, std::future<Status>> drains;
  for (Publisher* part : parts_) {
    drains[part] = std::async(std::launch::async,
                              [part, grace, deadline] { return part->Drain(grace, deadline); });
  }
  return TellAll(parts_, [&](Publisher& part) { return drains.at(&part).get(); });
}

Status Publishers::Withdraw() {
  return TellAll(parts_, [](Publisher& part) { return part.Withdraw(); });
}

Status Publishers::Renew(Epoch epoch, TimePoint known_at) {
  return TellAll(parts_, [&](Publisher& part) { return part.Renew(epoch, known_at); });
}

PublicationSeen Publishers::Current() const {
  PublicationSeen worst;
  bool first = true;
  bool differ = false;
  for (const Publisher* part : parts_) {
    PublicationSeen seen = part->Current();
    if (first) {
      worst = std::move(seen);
      first = false;
      continue;
    }
    differ = differ || worst.primary != seen.primary || worst.epoch != seen.epoch;
    if (worst.primary != seen.primary) worst.primary.reset();
    worst.epoch = std::min(worst.epoch, seen.epoch);
    if (!seen.problem.empty()) worst.problem += (worst.problem.empty() ? "" : "; ") + seen.problem;
  }
  if (differ && worst.problem.empty()) {
    worst.problem = "the writer endpoint and the hosts file do not name the same primary";
  }
  return worst;
}

}  // namespace pandora_ha
