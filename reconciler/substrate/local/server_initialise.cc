// How a fresh data directory is made.
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "reconciler/base/system_error.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

// One statement a line: that is how a server reads its bootstrap input.
std::string AdminStatements(Flavor flavor, const std::string& admin, const Secret& password) {
  std::string sql;
  if (flavor == Flavor::kMariaDb) {
    sql =
        "DELETE FROM mysql.global_priv WHERE User<>'mariadb.sys';\nDELETE FROM "
        "mysql.proxies_priv;\n"
        "FLUSH PRIVILEGES;\n";
  } else {
    sql = "SET SESSION sql_log_bin=0;\nDROP USER 'root'@'localhost';\n";
  }
  for (const char* from : {"localhost", "127.0.0.0/255.0.0.0"}) {
    const std::string account = SqlText(admin) + "@'" + from + "'";
    sql += "CREATE USER " + account + " IDENTIFIED BY " + SqlText(password.Reveal()) + ";\n";
    sql += "GRANT ALL PRIVILEGES ON *.* TO " + account + " WITH GRANT OPTION;\n";
  }
  return sql;
}

Result<std::vector<std::string>> BootstrapFiles(const ServerProgram& program) {
  std::vector<std::string> files;
  for (const char* name : {"system_tables.sql", "performance_tables.sql", "system_tables_data.sql",
                           "", "sys_schema.sql"}) {
    const std::string share = program.share + "/";
    const std::string path =
        *name == '\0' ? FirstExisting({share + "maria_add_gis_sp_bootstrap.sql",
                                       share + "mariadb_add_gis_sp_bootstrap.sql"})
                      : FirstExisting({share + "mysql_" + name, share + "mariadb_" + name});
    if (path.empty()) {
      return Error{ErrorCode::kNotFound, "the SQL that makes a MariaDB data directory (*_" +
                                             std::string(name) + ") is not in " + program.share};
    }
    files.push_back(path);
  }
  return files;
}

}  // namespace

Result<InitialiseCommand> InitialiseServer(const ServerProgram& program,
                                           const std::string& directory, const std::string& admin,
                                           const Secret& password) {
  for (const std::string* text : {&admin, &password.Reveal()}) {
    if (text->empty() || text->find_first_of(std::string("\n\r\0", 3)) != std::string::npos) {
      return Error{ErrorCode::kInvalid,
                   "the admin account needs a name and a password of one line each"};
    }
  }
  InitialiseCommand command;
  command.argv = ProgramCommand(program);
  const auto add = [&](std::string word) { command.argv.push_back(std::move(word)); };
  add("--defaults-file=" + directory + "/my.cnf");
  add("--datadir=" + directory + "/data.new");
  add("--log-error=" + directory + "/initialise.err");
  add("--skip-log-bin");
  command.after = AdminStatements(program.flavor, admin, password);
  if (program.flavor == Flavor::kMySql) {
    add("--initialize-insecure");
    add("--init-file=/dev/stdin");
    add("--super-read-only=OFF");
    add("--read-only=OFF");
    return command;
  }
  PHA_ASSIGN_OR_RETURN(command.files, BootstrapFiles(program));
  add("--bootstrap");
  add("--basedir=" + BaseDirectory(program));
  add("--enforce-storage-engine=");
  add("--max-allowed-packet=8M");
  command.before = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n";
  return command;
}

Result<Descriptor> InputFile(const InitialiseCommand& command) {
  Descriptor input(memfd_create("pandora-ha-initialise", MFD_CLOEXEC));
  if (!input.open()) return SystemError("cannot make a memory file", errno);
  std::ostringstream text;
  text << command.before;
  for (const std::string& path : command.files) {
    std::ifstream file(path);
    if (!file) return Error{ErrorCode::kIo, "cannot read " + path};
    text << file.rdbuf() << '\n';
  }
  text << command.after;
  const std::string all = text.str();
  if (write(input.get(), all.data(), all.size()) != static_cast<ssize_t>(all.size()) ||
      lseek(input.get(), 0, SEEK_SET) != 0) {
    return SystemError("cannot fill a memory file", errno);
  }
  return input;
}

}  // namespace pandora_ha
