// What a merge costs: merge_bench [FILE.json] [--flavor mariadb|mysql] [--runs N] [--rows N]
//
// A server that committed N rows of data by itself, a tenth of them as events, in transactions of
// 20; and a primary. In turns: the merge of the archive into an empty primary, and a plain
// `INSERT … SELECT` of the same rows there, in one statement for each table (the floor: no row is
// asked about, none is read from a log, and there is one commit).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "reconciler/binlog/archive.h"
#include "reconciler/mysql/merge.h"
#include "tests/bench/report.h"
#include "tests/mysql/server_fixture.h"

namespace pandora_ha::bench {
namespace {

using testing::In;
using testing::TestServer;

constexpr double kGoal = 0.5;  // of the rate of INSERT … SELECT
constexpr Seconds kLongest{1200};
constexpr int kPerTransaction = 20;

struct Options {
  std::string file = PANDORA_HA_BENCH_DIR "/merge.json", flavor;
  int runs = 5, rows = 200000;
};

void Do(Session& session, const std::string& sql) {
  const Status done = session.Execute(sql, In(kLongest));
  if (done.ok()) return;
  std::fprintf(stderr, "%s\n%s\n", done.error().message.c_str(), sql.substr(0, 200).c_str());
  std::exit(1);
}

void Prepare(Session& session) {
  Do(session, "SET GLOBAL read_only=0");
  Do(session, "CREATE DATABASE pandora CHARACTER SET utf8mb4; USE pandora");
  for (const char* sql :
       {"CREATE TABLE tagente (id_agente INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, nombre "
        "VARCHAR(600))",
        "CREATE TABLE tagente_modulo (id_agente_modulo INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, "
        "id_agente INT UNSIGNED, nombre TEXT)",
        "CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED NOT NULL, datos DOUBLE, "
        "utimestamp BIGINT, KEY data_index1 (id_agente_modulo, utimestamp), KEY idx_utimestamp "
        "(utimestamp))",
        "CREATE TABLE tevento (id_evento BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id_agente INT "
        "NOT NULL, evento TEXT, utimestamp BIGINT, id_agentmodule INT NOT NULL DEFAULT 0, KEY "
        "idx_agente (id_agente), KEY idx_utimestamp (utimestamp))",
        "CREATE TABLE pandora_ha_heartbeat (id TINYINT UNSIGNED PRIMARY KEY, epoch BIGINT "
        "UNSIGNED)",
        "INSERT INTO pandora_ha_heartbeat VALUES (1,1)", "INSERT INTO tagente VALUES (1,'web')"})
    Do(session, sql);
  for (int module = 1; module <= 100; ++module)
    Do(session, "INSERT INTO tagente_modulo VALUES (" + std::to_string(module) + ",1,'m" +
                    std::to_string(module) + "')");
}

void Write(Session& session, int rows) {
  int event = 0;
  for (int row = 0; row < rows;) {
    std::string data, events;
    for (int i = 0; i < kPerTransaction; ++i, ++row) {
      const std::string at = std::to_string(1700000000 + row / 100);
      const std::string module = std::to_string(1 + row % 100);
      if (i % 10 == 9) {
        events += (events.empty() ? "(" : ",(") + std::to_string(++event) +
                  ",1,'Module&#x20;m&#x20;is&#x20;going&#x20;to&#x20;CRITICAL'," + at + "," +
                  module + ")";
      } else {
        data += (data.empty() ? "(" : ",(") + module + "," + std::to_string(row % 97) + ".5," + at +
                ")";
      }
    }
    Do(session, "BEGIN; INSERT INTO tagente_datos VALUES " + data +
                    "; INSERT INTO tevento VALUES " + events + "; COMMIT");
  }
}

GtidSet Executed(Flavor flavor, const TestServer& server) {
  return *GtidSet::Parse(flavor,
                         server.Sql(flavor == Flavor::kMySql ? "SELECT @@global.gtid_executed"
                                                             : "SELECT @@gtid_binlog_state"));
}

double Seconds1(TimePoint began) {
  return static_cast<double>((SystemClock().Now().mono - began).count()) / 1e6;
}

bool Measure(Flavor flavor, const Options& options, std::vector<Row>* rows) {
  // A buffer that holds all of it, as a server's does.
  const std::vector<std::string> large = {"--innodb-buffer-pool-size=512M"};
  TestServer node(flavor, 1, 1, large), primary(flavor, 2, 2, large);
  const auto source = node.Admin(), target = primary.Admin();
  Prepare(*source);
  Prepare(*target);
  const GtidSet known = Executed(flavor, node);
  Write(*source, options.rows);
  const auto archive = MakeArchive(
      {"one", NodeName("node2"), flavor, node.directory() + "/data/bin.index",
       node.directory() + "/archive", "pandora", known, Executed(flavor, node).Subtract(known)},
      [](std::int64_t, std::int64_t) {}, SystemClock().Now().wall);
  if (!archive.ok()) {
    std::fprintf(stderr, "%s\n", archive.error().message.c_str());
    return false;
  }
  Sample merged, plain;
  for (int run = 0; run < options.runs; ++run) {
    Do(*target,
       "TRUNCATE tagente_datos; TRUNCATE tevento; DROP TABLE IF EXISTS pandora_ha_merged, "
       "pandora_ha_merged_event");
    MergeOptions merge;
    merge.archive = node.directory() + "/archive/one";
    merge.epoch = Epoch{1};
    merge.now = WallTime(Seconds(1700000000));
    const auto session = primary.Admin();
    TimePoint began = SystemClock().Now().mono;
    const auto report = MergeArchive(*session, merge);
    if (!report.ok()) {
      std::fprintf(stderr, "%s\n", report.error().message.c_str());
      return false;
    }
    merged.push_back(options.rows / Seconds1(began));
    Do(*target,
       "CREATE TABLE d LIKE tagente_datos; CREATE TABLE e LIKE tevento; INSERT INTO d "
       "SELECT * FROM tagente_datos; INSERT INTO e SELECT * FROM tevento; TRUNCATE "
       "tagente_datos; TRUNCATE tevento");
    began = SystemClock().Now().mono;
    Do(*target,
       "INSERT INTO tagente_datos SELECT * FROM d; INSERT INTO tevento (id_agente, evento, "
       "utimestamp, id_agentmodule) SELECT id_agente, evento, utimestamp, id_agentmodule "
       "FROM e");
    plain.push_back(options.rows / Seconds1(began));
    Do(*target, "DROP TABLE d, e");
  }
  const std::string name = flavor == Flavor::kMySql ? "mysql" : "mariadb";
  const double floor = At(plain, 0.5), value = At(merged, 0.5);
  rows->push_back({"merge", "rows/s", value, floor, merged.size(), At(merged, 0.05), name});
  std::printf("%s: the merge reaches %.0f %% of INSERT … SELECT; goal: %.0f %%: %s\n", name.c_str(),
              100 * value / floor, 100 * kGoal, value >= kGoal * floor ? "met" : "MISSED");
  return true;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--flavor" && i + 1 < argc) {
      options.flavor = argv[++i];
    } else if (word == "--runs" && i + 1 < argc) {
      options.runs = std::atoi(argv[++i]);
    } else if (word == "--rows" && i + 1 < argc) {
      options.rows = std::atoi(argv[++i]);
    } else if (word.starts_with("-")) {
      std::fprintf(
          stderr,
          "usage: merge_bench [FILE.json] [--flavor mariadb|mysql] [--runs N] [--rows N]\n");
      return 2;
    } else {
      options.file = word;
    }
  }
  std::vector<Row> rows;
  bool good = true;
  for (const auto& [name, flavor] :
       {std::pair{"mariadb", Flavor::kMariaDb}, std::pair{"mysql", Flavor::kMySql}}) {
    if (!options.flavor.empty() && options.flavor != name) continue;
    if (!testing::WhyUnavailable(flavor).empty()) continue;
    good = Measure(flavor, options, &rows) && good;
  }
  Print(rows);
  std::printf("%s\n", Load().c_str());
  return good && WriteJson(options.file, rows) ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha::bench

int main(int argc, char** argv) {
  return pandora_ha::bench::Main(argc, argv);
}
