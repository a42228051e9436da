// The command line: parses, and calls one function for each verb.
#pragma once

namespace pandora_ha {

// The process's exit code: 0 healthy or done, 1 error, 2 wrong usage or document, 3 degraded, 4 no
// primary, 5 refused by a safety rule, 6 confirmation missing, 7 timed out.
int RunCli(int argc, char** argv);

}  // namespace pandora_ha
