#include "reconciler/decide/verification.h"

#include "reconciler/decide/rebuild.h"

namespace pandora_ha {
namespace {

constexpr Seconds kSeenWithin{10};  // that an order was taken up
constexpr Seconds kAgainAfter{60};
constexpr Seconds kAgainWhenToldAfter{3600};

std::string NextId(const Verification& verification) {
  const std::string& id = verification.id;
  return id.substr(0, id.find('.')) + "." + std::to_string(verification.tries);
}

// True when there is nothing more to do.
bool TakeResult(const VerificationSeen& seen, TimePoint now, Verification* verification) {
  ++verification->tries;
  verification->id = NextId(*verification);
  verification->differs = seen.differs;
  verification->why = seen.why;
  if (seen.phase == JobSeen::Phase::kDone) {
    if (seen.settled && seen.differs.empty()) return true;
    if (seen.differs.empty()) verification->why = "its rows change too often";
  }
  verification->failures += seen.differs.empty() ? 1 : 0;
  const bool told = !seen.differs.empty() || verification->given_up();
  verification->not_before = now + (told ? kAgainWhenToldAfter : kAgainAfter);
  return false;
}

}  // namespace

void OweVerification(const Context& c, NodeMemory& node) {
  Verification& owed = node.verification.emplace();
  owed.epoch = c.memory.epoch;
  owed.id = "verify-" + std::to_string(c.seen.taken_at.wall.time_since_epoch().count());
}

void VerifyWhereOwed(Context& c, const DatabaseSeen& node) {
  NodeMemory& remembered = MemoryOf(c.memory, node.name);
  if (!remembered.verification) return;
  // Another primary is the measure now.
  if (remembered.verification->epoch != c.memory.epoch) OweVerification(c, remembered);
  Verification& verification = *remembered.verification;
  if (!node.process.known() || !HasCaughtUp(c, node)) return;
  const auto& seen = node.process->verification;
  if (seen && seen->id == verification.id) {
    if (seen->phase == JobSeen::Phase::kWorking) return;
    if (TakeResult(*seen, c.now(), &verification)) return remembered.verification.reset();
  }
  if (c.now() < verification.not_before) return;
  verification.not_before = c.now() + kSeenWithin;
  c.Do(VerifyServer{node.name, *c.memory.primary, verification.id},
       "it was put right and follows, and shall be seen to have the same rows", kStartStep);
}

}  // namespace pandora_ha
