// Keeps what a node committed by itself: the archives in DIRECTORY/archive (see binlog/archive.h).
#pragma once

#include <string>

#include "reconciler/binlog/archive.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {

// Orders of the job that does it; see job.h.
InitialiseCommand ArchiveCommand(const std::string& program, const std::string& directory,
                                 const ArchiveOrder& order);

// The job: reads the order from standard input, does it, and returns the process's exit code.
int RunArchiver();

// Where the archive of an order lies, or will.
std::string ArchivePlace(const std::string& directory, const std::string& id);
// The archive that was made last, by its name; empty: none is there.
std::string NewestArchive(const std::string& directory);

}  // namespace pandora_ha
