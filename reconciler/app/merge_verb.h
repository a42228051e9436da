// `pandora-ha merge NODE`: what a diverged node committed by itself, brought into the primary.
#pragma once

#include <istream>
#include <ostream>
#include <string>

#include "reconciler/app/verbs.h"

namespace pandora_ha {

struct MergeVerbOptions {
  AskOptions ask;       // timeout: of each question, and of each transaction
  std::string node;     // whose rows
  std::string config;   // the document: how the primary is reached
  std::string archive;  // empty: the one that the manager knows of
  bool dry_run = false;
  std::string since, until;  // see ReadMoment(); empty: no limit
  bool yes = false;
  bool terminal = false;       // somebody can be asked and shown progress
  std::istream* in = nullptr;  // the answer
};

// 0 all of it is accounted for; 1 error, or interrupted: run it again; 2 the document or the
// request is wrong; 4 there is no primary; 5 not now (another merge, Pandora's maintenance, another
// primary); 6 not confirmed, and nothing was written; 7 timed out: run it again.
int MergeVerb(const MergeVerbOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pandora_ha
