// Where what people ask for lies until the memory names it.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/model/intent.h"

namespace pandora_ha {

inline constexpr std::size_t kMostPendingIntents = 16;

// One for each cluster. Thread-safe; nothing here waits. It forgets everything with the process: an
// intent counts from the moment that the stored memory names it.
class IntentInbox {
 public:
  // The same intent twice lies there once. kConflict: it is full, it is closed, or the id is that
  // of another wish.
  Status Add(Intent intent);
  // The oldest first.
  std::vector<Intent> All() const;
  void Drop(const std::string& id);

  // Another manager acts: what lies here is dropped and nothing is taken; `why` is what everybody
  // who asks is told. Empty: open again.
  void Close(const std::string& why);

 private:
  mutable std::mutex mutex_;
  std::vector<Intent> intents_;
  std::string closed_;
};

}  // namespace pandora_ha
