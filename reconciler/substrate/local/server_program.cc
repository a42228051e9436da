#include "reconciler/substrate/local/server_program.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "reconciler/substrate/local/process.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

#if defined(__aarch64__)
constexpr const char* kTriplet = "aarch64-linux-gnu";
constexpr const char* kLoaders[] = {"usr/lib/ld-linux-aarch64.so.1", "lib/ld-linux-aarch64.so.1"};
#else
constexpr const char* kTriplet = "x86_64-linux-gnu";
constexpr const char* kLoaders[] = {"usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"};
#endif

std::string FindBinary(Flavor flavor, const std::string& root) {
  std::vector<std::string> candidates;
  for (const char* folder : {"/usr/sbin/", "/usr/local/sbin/", "/usr/libexec/", "/usr/bin/",
                             "/usr/local/bin/", "/usr/local/mysql/bin/"}) {
    if (flavor == Flavor::kMariaDb) candidates.push_back(root + folder + "mariadbd");
    candidates.push_back(root + folder + "mysqld");
  }
  return FirstExisting(candidates);
}

bool AtLeast(const ServerProgram& program, std::array<int, 3> version) {
  return program.version >= version;
}

// ---- The option file. ---------------------------------------------------------------------------

using Options = std::vector<std::pair<std::string, std::string>>;

// People may override these.
Options DefaultOptions(const ServerProgram& program) {
  Options options = {
      {"skip_name_resolve", "ON"},
      {"innodb_buffer_pool_size", "64M"},
      {"sync_binlog", "1"},
      {"innodb_flush_log_at_trx_commit", "1"},
  };
  if (program.flavor == Flavor::kMariaDb) {
    options.insert(options.end(), {{"performance_schema", "OFF"},
                                   {"innodb_log_file_size", "32M"},
                                   {"slave_net_timeout", "10"}});
  } else {
    // The replication tables of performance_schema are the only complete source of a replica's
    // state.
    options.insert(options.end(), {{"performance_schema", "ON"},
                                   {"loose_innodb_redo_log_capacity", "32M"},
                                   {"loose_mysqlx", "OFF"},
                                   {"secure_file_priv", "NULL"},
                                   {"slave_net_timeout", "10"}});
  }
  return options;
}

Options PlaceOptions(const ServerProgram& program, const ServerSettings& settings) {
  const std::string& directory = settings.directory;
  const std::string port = std::to_string(settings.address.port);
  Options options = {
      {"datadir", directory + "/data"},
      // Its own: a server that starts deletes the temporary tables of all servers that share one.
      {"tmpdir", directory + "/tmp"},
      {"socket", directory + "/server.sock"},
      {"pid_file", directory + "/server.pid"},
      {"log_error", directory + "/server.err"},
      {"bind_address", settings.address.host},
      {"port", port},
      {"server_id", std::to_string(settings.server_id)},
      {"report_host", settings.address.host},
      {"report_port", port},
  };
  if (geteuid() == 0) options.emplace_back("user", "root");  // refused by the server unless said
  for (auto& option : ProgramOptions(program)) options.push_back(std::move(option));
  return options;
}

// What no document may change: how the server boots, and the history it keeps.
Options SafetyOptions(const ServerProgram& program) {
  // Weeks: a source that gives up waiting would acknowledge what no replica has.
  const std::string forever = "4294967295";
  if (program.flavor == Flavor::kMariaDb) {
    return {{"log_bin", "binlog"},
            {"relay_log", "relay"},
            {"binlog_format", "ROW"},
            {"binlog_row_image", "FULL"},
            {"log_slave_updates", "ON"},
            {"gtid_strict_mode", "ON"},
            {"relay_log_recovery", "ON"},
            {"read_only", "ON"},
            {"skip_slave_start", "ON"},
            {"rpl_semi_sync_master_enabled", "OFF"},
            {"rpl_semi_sync_master_timeout", forever},
            {"rpl_semi_sync_master_wait_point", "AFTER_SYNC"},
            {"rpl_semi_sync_master_wait_no_slave", "ON"},
            {"rpl_semi_sync_slave_enabled", "ON"}};
  }
  const bool new_words = AtLeast(program, {8, 0, 26});
  const std::string replica = new_words ? "replica" : "slave";
  const std::string source = new_words ? "source" : "master";
  // loose_: the plugins are not there while the data directory is made.
  const std::string semi_sync = "loose_rpl_semi_sync_";
  return {{"log_bin", "binlog"},
          {"relay_log", "relay"},
          {"binlog_row_image", "FULL"},
          {new_words ? "log_replica_updates" : "log_slave_updates", "ON"},
          {"gtid_mode", "ON"},
          {"enforce_gtid_consistency", "ON"},
          {"relay_log_recovery", "ON"},
          {"super_read_only", "ON"},
          {new_words ? "skip_replica_start" : "skip_slave_start", "ON"},
          {"plugin_load_add", "semisync_" + source + ".so"},
          {"plugin_load_add", "semisync_" + replica + ".so"},
          {"plugin_load_add", "mysql_clone.so"},
          {semi_sync + source + "_enabled", "OFF"},
          {semi_sync + source + "_timeout", forever},
          {semi_sync + source + "_wait_point", "AFTER_SYNC"},
          {semi_sync + source + "_wait_no_" + replica, "ON"},
          {semi_sync + replica + "_enabled", "ON"}};
}

// The option's bare name: servers take dashes for underscores and know these prefixes.
std::string BareName(std::string name) {
  for (char& c : name)
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : {"loose_", "skip_", "enable_", "disable_", "maximum_"}) {
      if (name.starts_with(prefix)) {
        name.erase(0, prefix.size());
        again = true;
      }
    }
  }
  return name;
}

Status CheckOption(const std::string& name, const std::string& value, const Options& ours) {
  const bool name_good = !name.empty() && name.find_first_not_of(
                                              "abcdefghijklmnopqrstuvwxyz"
                                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-.") == std::string::npos;
  if (!name_good)
    return Error{ErrorCode::kInvalid, "configuration: '" + name + "' is not an option's name"};
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"') {
      return Error{ErrorCode::kInvalid,
                   "configuration." + name + " holds a control character or a quote"};
    }
  }
  for (const auto& [our_name, our_value] : ours) {
    if (BareName(our_name) == BareName(name) && BareName(name) != "plugin_load_add") {
      return Error{ErrorCode::kInvalid,
                   "configuration." + name + " is set by Pandora HA and cannot be changed"};
    }
  }
  return Ok();
}

void AppendOptions(const Options& options, std::string* out) {
  for (const auto& [name, value] : options) {
    std::string quoted;
    for (const char c : value) quoted += c == '\\' ? std::string("\\\\") : std::string(1, c);
    *out += name + " = \"" + quoted + "\"\n";
  }
}

}  // namespace

std::string FirstExisting(const std::vector<std::string>& paths) {
  std::error_code ignored;
  for (const std::string& path : paths) {
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

std::string BaseDirectory(const ServerProgram& program) {
  return fs::path(program.binary).parent_path().parent_path().string();
}

std::vector<std::string> ProgramCommand(const ServerProgram& program) {
  if (program.root.empty()) return {program.binary};
  std::vector<std::string> loaders;
  for (const char* loader : kLoaders) loaders.push_back(program.root + "/" + loader);
  const std::string libraries = program.root + "/usr/lib/" + kTriplet;
  return {FirstExisting(loaders), "--library-path",
          libraries + ":" + program.root + "/lib/" + kTriplet + ":" + libraries + "/private",
          program.binary};
}

Options ProgramOptions(const ServerProgram& program) {
  if (program.root.empty()) return {};
  Options options = {{"basedir", BaseDirectory(program)},
                     {"lc_messages_dir", program.share},
                     {"character_sets_dir", program.share + "/charsets"}};
  const std::string plugins = FirstExisting(
      {program.root + "/usr/lib/mysql/plugin", program.root + "/usr/lib/mariadb/plugin"});
  if (!plugins.empty()) options.emplace_back("plugin_dir", plugins);
  return options;
}

Result<ServerProgram> FindServerProgram(Flavor flavor, const std::string& where,
                                        Deadline deadline) {
  ServerProgram program;
  program.flavor = flavor;
  std::error_code ignored;
  if (!where.empty() && fs::is_directory(where, ignored)) {
    program.root = fs::canonical(where, ignored).string();
    program.binary = FindBinary(flavor, program.root);
  } else {
    program.binary = where.empty() ? FindBinary(flavor, "") : fs::absolute(where, ignored).string();
  }
  const std::string place = where.empty() ? "this machine" : where;
  if (program.binary.empty() || !fs::exists(program.binary, ignored)) {
    return Error{ErrorCode::kNotFound,
                 "no " + std::string(ToString(flavor)) + " server in " + place};
  }
  SpawnOptions ask{.argv = ProgramCommand(program), .environment = {}};
  if (ask.argv.front().empty()) {
    return Error{ErrorCode::kNotFound, "the root folder " + place + " has no dynamic loader"};
  }
  ask.argv.emplace_back("--no-defaults");
  ask.argv.emplace_back("--version");
  PHA_ASSIGN_OR_RETURN(const Finished answer, RunToEnd(ask, deadline));
  const auto version = answer.output.find("Ver ");
  if (version == std::string::npos ||
      std::sscanf(answer.output.c_str() + version, "Ver %d.%d.%d", &program.version[0],
                  &program.version[1], &program.version[2]) != 3) {
    return Error{ErrorCode::kUnsupported, program.binary + " --version gave no version but: " +
                                              answer.output.substr(0, 200)};
  }
  const bool is_mariadb = answer.output.find("MariaDB") != std::string::npos;
  if (is_mariadb != (flavor == Flavor::kMariaDb)) {
    return Error{ErrorCode::kUnsupported,
                 program.binary + " is not " + std::string(ToString(flavor)) +
                     "; name a server of that flavour or a root folder with one"};
  }
  const std::string share = BaseDirectory(program) + "/share";
  program.share =
      FirstExisting({share + "/mysql/english/errmsg.sys", share + "/mariadb/english/errmsg.sys",
                     share + "/english/errmsg.sys"});
  program.share = fs::path(program.share).parent_path().parent_path().string();
  return program;
}

Result<std::string> ServerConfiguration(const ServerProgram& program,
                                        const ServerSettings& settings) {
  constexpr std::size_t kLongestSocket = 107;
  if ((settings.directory + "/server.sock").size() > kLongestSocket) {
    return Error{ErrorCode::kInvalid,
                 "the directory's path is too long for a socket: " + settings.directory};
  }
  Options ours = PlaceOptions(program, settings);
  for (const auto& option : SafetyOptions(program)) ours.push_back(option);
  if (program.flavor == Flavor::kMySql) ours.emplace_back("read_only", "ON");

  Options theirs(settings.configuration.begin(), settings.configuration.end());
  for (const auto& [name, value] : theirs) PHA_TRY(CheckOption(name, value, ours));

  std::string text =
      "# Written by Pandora HA at every start of this server; change the document instead.\n"
      "[mysqld]\n# Defaults.\n";
  AppendOptions(DefaultOptions(program), &text);
  text += "# From the document's spec.database.configuration.\n";
  AppendOptions(theirs, &text);
  text += "# Always so.\n";
  AppendOptions(ours, &text);
  return text;
}

std::vector<std::string> ServeCommand(const ServerProgram& program, const std::string& directory,
                                      bool discard_unacknowledged) {
  std::vector<std::string> argv = ProgramCommand(program);
  argv.push_back("--defaults-file=" + directory + "/my.cnf");
  if (discard_unacknowledged && CanDiscardUnacknowledged(program)) {
    argv.emplace_back("--init-rpl-role=SLAVE");
  }
  return argv;
}

std::string SqlText(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

bool CanDiscardUnacknowledged(const ServerProgram& program) {
  if (program.flavor != Flavor::kMariaDb) return false;
  // The option is older; that it truncates the tail came with these releases of each series.
  const std::array<int, 2> series = {program.version[0], program.version[1]};
  if (series == std::array{10, 6}) return program.version[2] >= 19;
  if (series == std::array{10, 11}) return program.version[2] >= 9;
  if (series == std::array{11, 4}) return program.version[2] >= 3;
  return AtLeast(program, {11, 6, 0});
}

}  // namespace pandora_ha
