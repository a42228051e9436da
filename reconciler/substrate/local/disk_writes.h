// Whether anything of a server still reaches a disk, as this machine's kernel counts it.
#pragma once

#include <string>

namespace pandora_ha {

// Of the server whose process id `pid_file` holds: when it last wrote to one of its open files, and
// what the block devices below its open files have written and flushed. Two equal answers some time
// apart say that neither moved in between; others using the same device move it, too. Empty: not
// known, as for a filesystem without a device of its own (btrfs, a network). Takes no disk to
// answer.
std::string DiskWrites(const std::string& pid_file);

}  // namespace pandora_ha
