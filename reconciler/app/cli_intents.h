// The command line of the verbs that ask for something.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "reconciler/app/intent_verb.h"

namespace pandora_ha {

// What such a verb was called with.
struct IntentLine {
  IntentVerbOptions options;
  std::string node;                 // "": not given
  std::string lasts;                // "90s", "10m", "2h"
  std::vector<std::string> compat;  // CONF MASTER SLAVE, or nothing
  int within = 60;                  // seconds
  int timeout = 0;                  // seconds; 0: as long as it may take
  bool end_transactions = false, allow_data_loss = false, even_primary = false, set_aside = false;
};

// `chosen` becomes what the verb does. `line` must live as long as the application.
void AddIntentVerbs(CLI::App& app, IntentLine* line, std::function<int()>* chosen);

// -o; --socket and --cluster.
void AddForm(CLI::App* verb, AskOptions* ask);
void AddManager(CLI::App* verb, AskOptions* ask);

}  // namespace pandora_ha
