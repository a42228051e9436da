// Any text as a document: reader, schema, rules, and what a good one leads to.
#include "reconciler/decide/decide.h"
#include "reconciler/decide/invariants.h"
#include "reconciler/spec/load_spec.h"
#include "tests/fuzz/fuzz.h"

namespace pandora_ha {
namespace {

using fuzz::Law;

void CheckTold(const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    Law(!problem.message.empty(), "a problem has a sentence");
    const std::string line = FormatProblem(problem);
    Law(line.find_first_of("\r\n") == std::string::npos, "a problem is one line", line);
  }
}

// Nothing answers yet: whatever was declared, there is a decision, and it is a safe one.
void CheckDecided(const ClusterSpec& spec) {
  Observation seen;
  seen.taken_at = {TimePoint(Seconds(1000)), WallTime(Seconds(1795366981))};
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    DatabaseSeen database;
    database.name = node.name;
    database.contact = Contact::kSilent;
    seen.databases.push_back(database);
  }
  const Decision decision = Decide(spec, seen, Memory());
  for (const Violation& violation : CheckInvariants(spec, seen, Memory(), decision))
    Law(false, "a decision about a good document is safe", violation.says);
}

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const LoadedSpec loaded = LoadSpecText("x", text);
  Law(loaded.ok() == loaded.problems.empty(), "a document is loaded or has problems");
  CheckTold(loaded.problems);
  CheckTold(loaded.warnings);
  if (!loaded.ok()) return 0;
  const LoadedSpec again = LoadChangedSpec("x", text, *loaded.spec);
  Law(again.ok() && *again.spec == *loaded.spec, "a document may follow itself");
  CheckDecided(*loaded.spec);
  return 0;
}
