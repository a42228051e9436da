// What the commands that ask for something do: switchover, failover, pause, resume, fence, unfence
// and ack. Parsing is cli_intents.cc's.
#pragma once

#include <functional>
#include <istream>
#include <ostream>

#include "reconciler/app/verbs.h"
#include "reconciler/model/intent.h"

namespace pandora_ha {

struct IntentVerbOptions {
  AskOptions ask;  // timeout: for everything after the confirmation
  Intent intent;   // its id is made up here; `by` is the manager's to say
  bool dry_run = false;
  bool wait = true;  // until it is over
  bool yes = false;  // no confirmation
  // A person sits at the other end of `in`.
  bool terminal = false;
  std::istream* in = nullptr;
  // Waits for so long; true: the person does not want to wait any more.
  std::function<bool(Duration)> interrupted;
};

// 0 done, or taken with wait = false; 1 error; 2 the manager finds the request wrong; 5 refused,
// taken back or superseded; 6 not confirmed, and nothing was sent; 7 not over in time.
int IntentVerb(IntentVerbOptions options, std::ostream& out, std::ostream& err);

}  // namespace pandora_ha
