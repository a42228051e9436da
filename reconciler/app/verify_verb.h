// `pandora-ha verify NODE`: whether a node holds the same rows as the primary.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "reconciler/app/verbs.h"

namespace pandora_ha {

struct VerifyVerbOptions {
  AskOptions ask;                   // timeout: of a connection, and of each piece of a table
  std::string node;                 // that is compared with the primary
  std::string config;               // the document: how both are reached
  std::vector<std::string> tables;  // empty: all of the schema
  bool terminal = false;            // somebody is shown progress
};

// 0 the same rows; 3 different, or some of it is not settled; 1 error; 2 the document or the
// request is wrong; 4 there is no primary; 5 the node does not follow; 7 timed out. It writes
// nothing.
int VerifyVerb(const VerifyVerbOptions& options, std::ostream& out, std::ostream& err);

}  // namespace pandora_ha
