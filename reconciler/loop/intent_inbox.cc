#include "reconciler/loop/intent_inbox.h"

#include <algorithm>
#include <utility>

namespace pandora_ha {

Status IntentInbox::Add(Intent intent) {
  const std::lock_guard lock(mutex_);
  if (!closed_.empty()) return Error{ErrorCode::kConflict, closed_, 0};
  const auto same = std::find_if(intents_.begin(), intents_.end(),
                                 [&](const Intent& one) { return one.id == intent.id; });
  if (same != intents_.end()) {
    if (same->wish == intent.wish) return Ok();
    return Error{ErrorCode::kConflict,
                 "The id " + intent.id + " is that of another intent (" + Describe(same->wish) +
                     "); choose a new one.",
                 0};
  }
  if (intents_.size() == kMostPendingIntents) {
    return Error{ErrorCode::kConflict,
                 std::to_string(kMostPendingIntents) +
                     " intents wait to be taken up already; ask again in a moment. If that lasts, "
                     "the log of the manager says why it does not look.",
                 0};
  }
  intents_.push_back(std::move(intent));
  return Ok();
}

std::vector<Intent> IntentInbox::All() const {
  const std::lock_guard lock(mutex_);
  return intents_;
}

void IntentInbox::Drop(const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(intents_, [&](const Intent& one) { return one.id == id; });
}

void IntentInbox::Close(const std::string& why) {
  const std::lock_guard lock(mutex_);
  closed_ = why;
  if (!why.empty()) intents_.clear();
}

}  // namespace pandora_ha
