// What the commands that only ask do. Parsing is cli.cc's; each verb prints its answer to `out`,
// everything else to `err`, and returns the exit code.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/app/text.h"
#include "reconciler/base/clock.h"

namespace pandora_ha {

enum ExitCode {
  kExitHealthy = 0,
  kExitError = 1,
  kExitUsage = 2,
  kExitDegraded = 3,
  kExitNoPrimary = 4,
  kExitRefused = 5,
  kExitUnconfirmed = 6,
  kExitTimeout = 7
};

enum class OutputForm { kTable, kWide, kJson, kYaml };

struct AskOptions {
  std::string socket_path = "/run/pandora-ha/api.sock";
  std::string cluster;  // empty: the only one; of several, status and topology show all
  OutputForm form = OutputForm::kTable;
  Style style;
  Milliseconds timeout{5000};
};

int StatusVerb(const AskOptions& options, std::ostream& out, std::ostream& err);
int TopologyVerb(const AskOptions& options, std::ostream& out, std::ostream& err);
int ExplainVerb(const AskOptions& options, std::ostream& out, std::ostream& err);
int PlanVerb(const AskOptions& options, std::ostream& out, std::ostream& err);
// 1 to 1000.
int HistoryVerb(const AskOptions& options, std::size_t limit, std::ostream& out, std::ostream& err);
// What the program is made of: ("pandora-ha", "0.1.0"), ("MySQL client library", …).
int VersionVerb(OutputForm form, const std::vector<std::pair<std::string, std::string>>& parts,
                std::ostream& out);

}  // namespace pandora_ha
