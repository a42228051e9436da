#include "reconciler/app/demo.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "reconciler/app/demo_writer.h"
#include "reconciler/app/passwords.h"
#include "reconciler/app/service.h"
#include "reconciler/app/stop_signals.h"
#include "reconciler/base/random.h"
#include "reconciler/spec/load_spec.h"
#include "reconciler/substrate/local/local_cluster.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;

constexpr char kDocument[] = "pandora-ha.yaml";
constexpr char kMark[] = ".pandora-ha-demo";  // only a directory with this file is ever removed
constexpr Duration kStartWithin = Seconds(120);
constexpr Duration kUsualStart = Seconds(20);  // of servers that are made, too
constexpr Duration kStopWithin = Seconds(30);

// A place of its own in 127.0.0.0/8, so that no port of the machine's own servers is in the way.
std::string DocumentText(const DemoOptions& options) {
  const std::string& dir = options.directory;
  const auto account = [&](const std::string& role, const std::string& user) {
    return "      " + role + ": {user: " + user + ", passwordFrom: {file: \"" + dir + "/" + role +
           ".password\"}}\n";
  };
  return "# The demonstration's document. `pandora-ha validate` this file, change it, start again "
         "with --keep.\n"
         "apiVersion: ha.pandorafms.io/v1alpha1\n"
         "kind: PandoraCluster\n"
         "metadata: {name: demo}\n"
         "spec:\n"
         "  substrate: local\n"
         "  failoverPolicy: consistency\n"
         "  local:\n"
         "    directory: \"" +
         dir +
         "/nodes\"\n"
         "    flavor: " +
         (options.flavor == Flavor::kMySql ? "mysql" : "mariadb") + "\n" +
         (options.server_root.empty() ? "" : "    serverRoot: \"" + options.server_root + "\"\n") +
         "  database:\n"
         "    port: 3306\n"
         "    nodes:\n"
         "    - {name: node1, address: 127.0.77.1, serverId: 1, label: Madrid}\n"
         "    - {name: node2, address: 127.0.77.2, serverId: 2, label: Paris}\n"
         "    masterPreference: [node1, node2]\n"
         "    credentials:\n" +
         account("admin", "root") + account("replication", "pandora_replica") +
         account("application", "pandora") +
         "    replication: {durability: semiSync, withoutReplica: degrade}\n"
         "  endpoint: {listen: \"127.0.77.10:3306\", holdSeconds: 10}\n"
         "  dataIn: {path: \"" +
         dir + "/data_in\"}\n";
}

std::string DocumentPath(const DemoOptions& options) {
  return options.directory + "/" + kDocument;
}

Status WriteFile(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream file;
  const mode_t before = umask(0077);
  file.open(path, std::ios::trunc);
  umask(before);
  file << text;
  file.close();
  if (!file || chmod(path.c_str(), mode) != 0) {
    return Error{ErrorCode::kIo,
                 "Cannot write " + path + "; look at the disk and the rights of its directory."};
  }
  return Ok();
}

bool IsMarked(const DemoOptions& options) {
  return fs::exists(options.directory + "/" + kMark);
}

// At the end it is removed with all it holds.
Status CheckDirectory(const DemoOptions& options) {
  std::error_code error;
  if (!fs::exists(options.directory, error) || IsMarked(options)) return Ok();
  if (fs::is_empty(options.directory, error) && !error) return Ok();
  return Error{ErrorCode::kRefused,
               options.directory +
                   " holds something that this demonstration did not make "
                   "(it has no file " +
                   kMark +
                   ", as is so after an older version's). Nothing was changed; "
                   "name an empty or a new --directory."};
}

// Makes what is missing; never overwrites a document that a person may have changed.
Status PrepareDirectory(const DemoOptions& options) {
  std::error_code error;
  fs::create_directories(options.directory, error);
  if (!error) PHA_TRY(WriteFile(options.directory + "/" + kMark, "", 0644));
  if (!error) fs::create_directories(options.directory + "/data_in/conf", error);
  if (error)
    return Error{ErrorCode::kIo, "Cannot make " + options.directory + ": " + error.message() + "."};
  for (const char* role : {"admin", "replication", "application"}) {
    const std::string path = options.directory + "/" + role + ".password";
    if (!fs::exists(path)) PHA_TRY(WriteFile(path, RandomPassword() + "\n", 0600));
  }
  const std::string document = DocumentPath(options);
  return fs::exists(document) ? Ok() : WriteFile(document, DocumentText(options), 0644);
}

// Data of before may need a person: a node that diverged, for one.
bool WaitUntilHealthy(const Service& service, const DemoOptions& options,
                      const std::string& cluster, std::ostream& err, bool* stopped) {
  const Deadline deadline(SystemClock(), kStartWithin), usual(SystemClock(), kUsualStart);
  std::string said;
  bool hinted = false;
  while (!deadline.passed()) {
    if (usual.passed() && !std::exchange(hinted, true)) {
      err << "demo: not healthy yet; this says why, and what to do:  "
          << SupervisorCommand().front() << " explain --socket " << options.directory << "/api.sock"
          << std::endl;
    }
    if (const auto last = service.noticeboard().Last(cluster)) {
      if (last->status.state == ClusterState::kHealthy) return true;
      if (last->status.verdict != said) {
        said = last->status.verdict;
        err << "demo: " << said << std::endl;
      }
    }
    *stopped = WaitForStop(deadline.Within(Milliseconds(50)));
    if (*stopped) return false;
  }
  err << "demo: the cluster did not become healthy within " << FormatDuration(kStartWithin)
      << "; the servers' logs are nodes/NODE/server.err.\n";
  return false;
}

void PrintGuide(const ClusterSpec& spec, const DemoOptions& options, std::ostream& out) {
  const std::string& dir = options.directory;
  const std::string self = SupervisorCommand().front();
  const std::string primary_pid = dir + "/nodes/node1/server.pid";
  out << "\nA semiSync pair of real " << ToString(options.flavor)
      << " servers runs, and a writer writes through " << ToString(*spec.endpoint.listen) << ".\n\n"
      << "  document     " << dir << "/" << kDocument << "\n"
      << "  hosts file   " << HostsFilePath(spec) << "\n"
      << "  metrics      http://127.0.0.1:8480/metrics\n"
      << "  status       " << self << " status --socket " << dir << "/api.sock\n"
      << "  why          " << self << " explain --socket " << dir << "/api.sock\n\n"
      << "Try:  kill -9 $(cat " << primary_pid << ")     and watch the writer's line\n"
      << "      kill -9 $(cat " << dir << "/nodes/node2/server.pid)     the other one\n"
      << "      " << self << " history --socket " << dir << "/api.sock\n"
      << "      mariadb -u root -p\"$(cat " << dir << "/admin.password)\" -S " << dir
      << "/nodes/node1/server.sock\n"
      << "Ctrl-C ends it"
      << (options.keep ? " and keeps the data." : " and removes the data (--keep leaves it).")
      << "\n\n"
      << std::flush;
}

std::string WriterLine(const DemoWriterCount& count) {
  return "writer: " + std::to_string(count.acknowledged) + " rows, longest pause " +
         FormatDuration(count.longest_pause) +
         (count.last_pause == Duration{} ? "" : ", latest " + FormatDuration(count.last_pause)) +
         ", " + std::to_string(count.cut) + " cut, " + std::to_string(count.refused) + " refused" +
         (count.silent_for < Seconds(1) ? "" : "; no row for " + FormatDuration(count.silent_for));
}

// A line whenever the verdict changes. On a terminal the writer's line below it is rewritten; it
// must stay shorter than a terminal is wide, or it would scroll.
void Watch(const Service& service, const std::string& cluster, const DemoWriter& writer,
           std::ostream& out) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  std::string said;
  while (!WaitForStop(Deadline(SystemClock(), Milliseconds(terminal ? 500 : 100)))) {
    const auto last = service.noticeboard().Last(cluster);
    const std::string verdict = last ? last->status.verdict : "";
    if (terminal) {
      out << "\r\x1b[K" << (verdict != said ? verdict + "\n" : "") << WriterLine(writer.Count())
          << "\r" << std::flush;  // a line of the log overwrites it
    } else if (verdict != said) {
      out << WriterLine(writer.Count()) << " | " << verdict << std::endl;
    }
    said = verdict;
  }
  if (terminal) out << "\n";
}

int Conclude(DemoWriter& writer, bool goes_on, std::ostream& out, std::ostream& err) {
  writer.Stop();
  const auto lost = writer.CountLost(Deadline(SystemClock(), Seconds(15)));
  const std::uint64_t acknowledged = writer.Count().acknowledged;
  if (!lost.ok()) {
    err << "demo: the rows could not be counted: " << lost.error().message << "\n";
    return 1;
  }
  out << *lost << " of " << acknowledged << " acknowledged rows lost."
      << (goes_on ? " What earlier runs wrote is not counted." : "") << "\n";
  return *lost == 0 ? 0 : 1;
}

int StopLeftovers(const DemoOptions& options, std::ostream& out, std::ostream& err) {
  const Status stopped = StopLocalServers(options.directory + "/nodes", SupervisorCommand(),
                                          SystemClock(), Deadline(SystemClock(), kStopWithin));
  if (!stopped.ok()) {
    err << "pandora-ha: " << stopped.error().message << "\n";
    return 1;
  }
  out << "Nothing of " << options.directory << " runs any more.\n";
  return 0;
}

}  // namespace

int DemoCommand(const DemoOptions& asked, std::ostream& out, std::ostream& err) {
  DemoOptions options = asked;
  options.directory = fs::absolute(asked.directory).lexically_normal().string();
  if (options.stop) return StopLeftovers(options, out, err);
  const auto fail = [&](const std::string& message, int code) {
    err << "pandora-ha: " << message << "\n";
    return code;
  };
  if (const Status ours = CheckDirectory(options); !ours.ok()) return fail(ours.error().message, 2);
  const bool goes_on = fs::exists(DocumentPath(options));
  if (const Status ready = PrepareDirectory(options); !ready.ok())
    return fail(ready.error().message, 1);
  const LoadedSpec loaded = LoadSpecFile(DocumentPath(options));
  for (const Problem& problem : loaded.problems) err << FormatProblem(problem) << "\n";
  if (!loaded.ok()) return 2;
  const ClusterSpec& spec = *loaded.spec;
  if (!spec.local || spec.local->flavor != options.flavor || !spec.endpoint.listen) {
    return fail(options.directory +
                    " holds a demonstration of the other kind of server; remove it, or name "
                    "another --directory.",
                2);
  }
  if (goes_on) {
    err << "demo: going on with what an earlier one left in " << options.directory
        << ", with its fences and pauses; remove it to begin anew\n";
  }
  auto passwords = ResolvePasswords(spec.database.credentials);
  if (!passwords.ok()) return fail(passwords.error().message, 2);
  const Secret application = passwords->application;

  const std::string state = options.directory + "/state";
  auto service =
      std::make_unique<Service>([state](const std::string&) { return state; }, SystemClock());
  Status started = service->clusters().Start(
      {spec, *std::move(passwords), state, SupervisorCommand(), DocumentPath(options)});
  if (started.ok())
    started = service->Open({options.directory + "/api.sock", Address{"127.0.0.1", 8480}});
  if (!started.ok()) {
    // The servers may run already, and nobody else would end them.
    [[maybe_unused]] const Status ended =
        service->clusters().StopServers(Deadline(SystemClock(), kStopWithin));
    return fail(started.error().message, 1);
  }

  int code = 1;
  bool stopped = false;
  if (WaitUntilHealthy(*service, options, spec.name, err, &stopped)) {
    DemoWriter writer({*spec.endpoint.listen, spec.database.credentials.application.user,
                       application, spec.database.schema, Milliseconds(5)},
                      SystemClock());
    PrintGuide(spec, options, out);
    Watch(*service, spec.name, writer, out);
    code = Conclude(writer, goes_on, out, err);
  } else if (stopped) {
    code = 0;
  }
  err << "demo: stopping the servers"
      << (options.flavor == Flavor::kMySql ? "; MySQL takes some seconds" : "") << std::endl;
  const Status ended = service->clusters().StopServers(Deadline(SystemClock(), kStopWithin));
  if (!ended.ok()) return fail(ended.error().message, 1);
  service.reset();
  if (!options.keep && code == 0 && IsMarked(options)) {
    fs::remove_all(options.directory);
  } else {
    err << "demo: the data is left in " << options.directory
        << "; the next one goes on with it, unless you remove it\n";
  }
  return code;
}

}  // namespace pandora_ha
