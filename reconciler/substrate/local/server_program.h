// How a database server of either flavour is run on this machine.
//
// The server is either installed or unpacked in a root folder (another distribution's files,
// started through that distribution's own loader, without chroot or privileges). Everything that
// can be in an option file is there, DIRECTORY/my.cnf, so that a person can read how the server was
// started.
//
// A node's directory holds: my.cnf, data/, tmp/, server.sock, server.pid, server.err, server.out.
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/descriptor.h"
#include "reconciler/base/result.h"
#include "reconciler/base/secret.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct ServerProgram {
  Flavor flavor = Flavor::kMariaDb;
  std::string binary;            // absolute
  std::string root;              // root folder with the server's libraries; empty: installed
  std::array<int, 3> version{};  // 10, 11, 19
  std::string share;             // error messages, character sets, bootstrap SQL

  bool operator==(const ServerProgram&) const = default;
};

// `where`: empty (the installed server), a root folder, or the server's binary. The binary is asked
// for its version; one of the other flavour is refused (Debian's `mysqld` is MariaDB).
Result<ServerProgram> FindServerProgram(Flavor flavor, const std::string& where, Deadline deadline);

// How the program is started: by itself, or through the loader of its root folder. Every command
// line begins with it.
std::vector<std::string> ProgramCommand(const ServerProgram& program);
// Where a server of a root folder finds its own files; an installed one knows.
std::vector<std::pair<std::string, std::string>> ProgramOptions(const ServerProgram& program);

// The installation's own: /usr of /usr/sbin/mariadbd.
std::string BaseDirectory(const ServerProgram& program);
// Empty: none is there.
std::string FirstExisting(const std::vector<std::string>& paths);

// What makes one node's server differ from the next.
struct ServerSettings {
  std::string directory;  // the node's own; absolute
  Address address;
  ServerId server_id = 0;
  std::map<std::string, std::string> configuration;  // the document's; wins over our defaults
};

// The text of my.cnf. A server that reads it boots read-only, with replication stopped and not
// acknowledging as a semi-sync source, whatever `configuration` says: options that identity or
// safety hang on are refused there (kInvalid) and come last in the file.
Result<std::string> ServerConfiguration(const ServerProgram& program,
                                        const ServerSettings& settings);

struct InitialiseCommand {
  std::vector<std::string> argv;
  // Standard input: `before`, the files, `after`. It holds the password, which therefore is in no
  // argument, environment or file.
  std::string before, after;
  std::vector<std::string> files;
};

// A command's whole standard input, in a nameless file: no disk sees a password.
Result<Descriptor> InputFile(const InitialiseCommand& command);

// Makes a data directory in DIRECTORY/data.new whose only account with privileges is `admin`
// (from this machine: socket and 127.0.0.0/8), and whose GTID history is empty. REQUIRES: my.cnf is
// written.
Result<InitialiseCommand> InitialiseServer(const ServerProgram& program,
                                           const std::string& directory, const std::string& admin,
                                           const Secret& password);

// Serves DIRECTORY/data. `discard_unacknowledged`: see StartServer in model/plan.h; without effect
// on a server that cannot.
std::vector<std::string> ServeCommand(const ServerProgram& program, const std::string& directory,
                                      bool discard_unacknowledged);

// 'text', as SQL has it.
std::string SqlText(const std::string& text);

// Whether this server can take back, at its start, transactions that no replica acknowledged.
bool CanDiscardUnacknowledged(const ServerProgram& program);

}  // namespace pandora_ha
