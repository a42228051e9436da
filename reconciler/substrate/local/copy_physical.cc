// Copies of files: a streamed backup, and CLONE.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reconciler/substrate/local/copy_engines.h"

namespace pandora_ha {
namespace fs = std::filesystem;

Status CopyByBackup(CopyWork& work) {
  const CopyJob& job = work.job();
  const bool maria_db = job.program.flavor == Flavor::kMariaDb;
  const std::string format = maria_db ? "mbstream" : "xbstream";
  PHA_ASSIGN_OR_RETURN(CopyTool backup,
                       FindTool(job.program, maria_db ? "mariadb-backup" : "xtrabackup"));
  PHA_ASSIGN_OR_RETURN(CopyTool unpack, FindTool(job.program, format));
  const std::string& from = job.source_directory;
  PHA_ASSIGN_OR_RETURN(
      const Descriptor options,
      PrivateFile(LoginOptions(job, backup.name) + "datadir=" + OptionText(from + "/data") + "\n"));
  CopyTool prepare = backup;
  backup.input = options.get();
  for (const std::string& word :
       {std::string("--defaults-file=/dev/stdin"), std::string("--backup"), "--stream=" + format,
        std::string("--parallel=2"), "--target-dir=" + job.directory + "/tmp"}) {
    backup.argv.push_back(word);
  }
  // With its usual second it would hold up every commit for one, at the copy's end.
  if (maria_db) backup.argv.emplace_back("--log-copy-interval=20");
  for (const std::string& word : {std::string("-x"), std::string("-C"), work.made()})
    unpack.argv.push_back(word);
  PHA_TRY(work.Pipe(backup, std::move(unpack)));
  prepare.argv.emplace_back("--prepare");
  prepare.argv.push_back("--target-dir=" + work.made());
  PHA_TRY(work.RunTool(prepare));
  return maria_db ? WriteBinlogState(work, "") : Ok();
}

Status WriteBinlogState(const CopyWork& work, const std::string& position) {
  std::string newest_text = position;
  for (const char* name : {"/mariadb_backup_binlog_info", "/xtrabackup_binlog_info"}) {
    std::string file, offset;
    if (newest_text.empty()) std::ifstream(work.made() + name) >> file >> offset >> newest_text;
  }
  PHA_ASSIGN_OR_RETURN(const GtidSet at, GtidSet::Parse(Flavor::kMariaDb, newest_text));
  if (at.empty())
    return Error{ErrorCode::kIo, "the copy does not tell its position" + work.SeeLog()};
  std::istringstream known(work.job().source_history.ToString());
  std::ostringstream lines;
  const std::string last = "," + at.ToString() + ",";
  // The last line of a domain counts as its newest transaction.
  for (std::string one; std::getline(known, one, ',');) {
    const std::string writer = one.substr(0, one.rfind('-') + 1);
    if (last.find("," + writer) == std::string::npos) lines << one << "\n";
  }
  std::istringstream newest(at.ToString());
  for (std::string one; std::getline(newest, one, ',');) lines << one << "\n";
  return WritePrivateFile(work.made() + "/binlog.state", lines.str());
}

// A server of our own asks for the copy, whatever state the node's is in: one that nobody can reach
// and that ends with its only task.
Status CopyByClone(CopyWork& work) {
  const CopyJob& job = work.job();
  const std::string seed = job.directory + "/data.seed", made = work.made();
  std::error_code failed;
  fs::remove_all(seed, failed);
  fs::remove(made, failed);  // CLONE makes it
  const auto server = [&](const std::vector<std::string>& more, int input) {
    CopyTool tool{"mysqld", ProgramCommand(job.program), input};
    for (const std::string& word :
         {"--defaults-file=" + job.directory + "/my.cnf", "--datadir=" + seed,
          "--log-error=" + job.directory + "/copy.log", std::string("--super-read-only=OFF"),
          std::string("--read-only=OFF"), std::string("--skip-log-bin")}) {
      tool.argv.push_back(word);
    }
    tool.argv.insert(tool.argv.end(), more.begin(), more.end());
    return tool;
  };
  PHA_TRY(work.RunTool(server({"--initialize-insecure"}, -1)));
  PHA_ASSIGN_OR_RETURN(
      const Descriptor task,
      PrivateFile("CLONE INSTANCE FROM " + SqlText(job.admin_user) + "@" +
                  SqlText(job.source.host) + ":" + std::to_string(job.source.port) +
                  " IDENTIFIED BY " + SqlText(job.admin_password.Reveal()) +
                  " DATA DIRECTORY = " + SqlText(made) + ";\nSHUTDOWN;\n"));
  const Status cloned = work.RunTool(
      server({"--skip-networking", "--socket=" + job.directory + "/copy.sock",
              "--pid-file=" + job.directory + "/copy.pid",
              "--loose-clone-valid-donor-list=" + ToString(job.source), "--init-file=/dev/stdin"},
             task.get()),
      {}, [&] { return SizeOfData(made); });
  fs::remove_all(seed, failed);
  if (!cloned.ok()) return cloned;
  if (fs::exists(made + "/mysql.ibd")) return Ok();
  return Error{ErrorCode::kIo, "CLONE ended without a copy" + work.SeeLog()};
}

}  // namespace pandora_ha
