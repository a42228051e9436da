// The command line.
#pragma once

namespace CLI {
class App;
}

namespace pandora_ha {

// Parses, runs one verb, and returns the exit code of the program.
int RunCli(int argc, char** argv);

// Each adds one verb; its exit code goes to *exit_code when it was chosen. A new verb is one more
// such function and one line in RunCli.
void AddStatus(CLI::App& app, int* exit_code);
void AddTopology(CLI::App& app, int* exit_code);
void AddExplain(CLI::App& app, int* exit_code);
void AddPlan(CLI::App& app, int* exit_code);
void AddHistory(CLI::App& app, int* exit_code);
void AddVersion(CLI::App& app, int* exit_code);

}  // namespace pandora_ha
