// `pandora-ha validate FILE…`
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace pandora_ha {

enum class ValidateFormat { kTable, kJson };

// Judges each file and changes nothing. Gives the exit code: 0 when all are good, 2 when one is not
// or none is named. Table: one line a good file on `out`, with its warnings, and one line a problem
// on `err`. JSON: one document on `out`, {"valid", "files": [{"file", "valid", "cluster",
// "problems", "warnings"}]}, and nothing else.
int ValidateCommand(std::span<const std::string> files, ValidateFormat format, std::ostream& out,
                    std::ostream& err);

}  // namespace pandora_ha
