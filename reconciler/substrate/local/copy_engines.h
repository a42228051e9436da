// The ways in which a server's data is copied. Each fills work.made(), which exists and is empty,
// and leaves it in a state from which a server starts that knows what it has. None touches anything
// else of the node, and the source goes on serving.
#pragma once

#include <string>

#include "reconciler/base/result.h"
#include "reconciler/substrate/local/copy_work.h"

namespace pandora_ha {

// MySQL: the server's own CLONE, into a directory that no server uses.
Status CopyByClone(CopyWork& work);
// mariadb-backup, or Percona XtraBackup for MySQL: streamed, unpacked, prepared.
Status CopyByBackup(CopyWork& work);
// mariadb-dump or mysqldump of everything with its accounts, into a fresh server that nobody can
// reach. What the dump says cannot make the client run a command or the server read a file.
Status CopyByDump(CopyWork& work);
// SCRIPT CONF MASTER SLAVE, the arguments that Pandora gives its own (docs/running.md).
Status CopyByScript(CopyWork& work);

// The tools that `method` needs; kNotFound names the first one that is missing.
Status CheckTools(const CopyJob& job, ResyncMethod method);

// A MariaDB server that finds no binary log takes its history from data.new/binlog.state. Without
// it, the copy would know the last transaction of the last writer only, and seem to lack all
// others. `position`: what the copy goes up to.
Status WriteBinlogState(const CopyWork& work, const std::string& position);

}  // namespace pandora_ha
