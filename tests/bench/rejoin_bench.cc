// How long a diverged MariaDB node needs to be what it was, by the size of its database:
// rejoin_bench [FILE.json] [--runs N] [--rows N] [--gib 1,4,16]
//
// A server with so much data committed N rows by itself, of which a tenth are events and a tenth
// are changed again, in transactions of 20. Timed is the rewind, from its session to the new binary
// log. A copy of the same data would move all of it: see resync_bench.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "reconciler/binlog/archive.h"
#include "reconciler/mysql/rewind.h"
#include "tests/bench/report.h"
#include "tests/mysql/server_fixture.h"

namespace pandora_ha::bench {
namespace {

using testing::In;
using testing::TestServer;

constexpr double kFlat = 1.5;  // the largest against the smallest database
constexpr Seconds kLongest{3600};
constexpr int kPerTransaction = 20;

struct Options {
  std::string file = PANDORA_HA_BENCH_DIR "/rejoin.json";
  int runs = 5, rows = 1000;
  std::vector<int> gib = {1, 4, 16};
};

void Do(Session& session, const std::string& sql) {
  const Status done = session.Execute(sql, In(kLongest));
  if (done.ok()) return;
  std::fprintf(stderr, "%s\n%s\n", done.error().message.c_str(), sql.substr(0, 200).c_str());
  std::exit(1);
}

// Half of it data with its keys, as most of a Pandora database is; half of it large rows.
void Fill(Session& session, int gib) {
  Do(session, "SET SESSION sql_log_bin=0, unique_checks=0");
  std::printf("filling %d GiB", gib);
  for (int part = 0; part < gib; ++part) {
    Do(session, "INSERT INTO filler (body) SELECT REPEAT(MD5(seq), 200) FROM seq_1_to_70000");
    Do(session, "INSERT INTO tagente_datos SELECT 1+seq%1000, seq/7, 1600000000+" +
                    std::to_string(part) + "*100000+seq/50 FROM seq_1_to_5000000");
    std::printf(".");
    std::fflush(stdout);
  }
  std::printf("\n");
  Do(session, "SET SESSION sql_log_bin=1");
}

void Diverge(Session& session, int rows) {
  int event = 0;
  for (int row = 0; row < rows;) {
    std::string data, events;
    for (int i = 0; i < kPerTransaction; ++i, ++row) {
      const std::string at = std::to_string(1800000000 + row / 100);
      if (i % 10 == 9) {
        events +=
            (events.empty() ? "(" : ",(") + std::to_string(++event) + ",'CRITICAL'," + at + ")";
      } else {
        data += (data.empty() ? "(" : ",(") + std::to_string(1 + row % 1000) + ",1.5," + at + ")";
      }
    }
    Do(session, "BEGIN; INSERT INTO tagente_datos VALUES " + data +
                    "; INSERT INTO tevento VALUES " + events +
                    "; UPDATE tevento SET evento='NORMAL' WHERE id_evento=" +
                    std::to_string(event) + "; COMMIT");
  }
}

GtidSet Executed(const TestServer& server) {
  return *GtidSet::Parse(Flavor::kMariaDb, server.Sql("SELECT @@gtid_binlog_state"));
}

bool Measure(int gib, const Options& options, std::vector<Row>* rows) {
  // Less than the data: a row that is undone has to be found on the disk.
  const TestServer node(Flavor::kMariaDb, 1, 1,
                        {"--innodb-buffer-pool-size=512M", "--innodb-log-file-size=1G"});
  const auto session = node.Admin();
  Do(*session, "SET GLOBAL read_only=0");
  Do(*session, "CREATE DATABASE pandora CHARACTER SET utf8mb4; USE pandora");
  for (const char* sql :
       {"CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED NOT NULL, datos DOUBLE, "
        "utimestamp BIGINT, KEY data_index1 (id_agente_modulo, utimestamp), KEY idx_utimestamp "
        "(utimestamp))",
        "CREATE TABLE tevento (id_evento BIGINT UNSIGNED PRIMARY KEY, evento TEXT, utimestamp "
        "BIGINT)",
        "CREATE TABLE filler (id BIGINT AUTO_INCREMENT PRIMARY KEY, body TEXT)"})
    Do(*session, sql);
  Fill(*session, gib);
  Sample times;
  for (int run = 0; run < options.runs; ++run) {
    Do(*session, "SET GLOBAL read_only=0");
    const GtidSet known = Executed(node);
    Diverge(*session, options.rows);
    const std::string id = "run" + std::to_string(run);
    const auto archive = MakeArchive(
        {id, NodeName("node1"), Flavor::kMariaDb, node.directory() + "/data/bin.index",
         node.directory() + "/archive", "pandora", known, Executed(node).Subtract(known)},
        [](std::int64_t, std::int64_t) {}, SystemClock().Now().wall);
    if (!archive.ok()) {
      std::fprintf(stderr, "%s\n", archive.error().message.c_str());
      return false;
    }
    Do(*session, "SET GLOBAL read_only=1");
    RewindOptions rewind;
    rewind.archive = node.directory() + "/archive/" + id;
    const TimePoint began = SystemClock().Now().mono;
    const auto rewound = RewindNode(*node.Admin(), rewind);
    times.push_back(static_cast<double>((SystemClock().Now().mono - began).count()) / 1e3);
    if (!rewound.ok() || Executed(node) != known) {
      std::fprintf(
          stderr, "%s\n",
          rewound.ok() ? "it has another history than before" : rewound.error().message.c_str());
      return false;
    }
  }
  const std::string size = node.Sql(
      "SELECT ROUND(SUM(FILE_SIZE)/1073741824,1) FROM information_schema.INNODB_SYS_TABLESPACES "
      "WHERE NAME LIKE 'pandora/%'");
  rows->push_back({"rewind of " + std::to_string(options.rows) + " rows in " + size + " GiB", "ms",
                   At(times, 0.5), kNone, times.size(), At(times, 0.95), "mariadb"});
  return true;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--runs" && i + 1 < argc) {
      options.runs = std::atoi(argv[++i]);
    } else if (word == "--rows" && i + 1 < argc) {
      options.rows = std::atoi(argv[++i]);
    } else if (word == "--gib" && i + 1 < argc) {
      options.gib.clear();
      std::istringstream list(argv[++i]);
      for (std::string one; std::getline(list, one, ',');)
        options.gib.push_back(std::atoi(one.c_str()));
    } else if (word.starts_with("-")) {
      std::fprintf(stderr,
                   "usage: rejoin_bench [FILE.json] [--runs N] [--rows N] [--gib 1,4,16]\n");
      return 2;
    } else {
      options.file = word;
    }
  }
  std::vector<Row> rows;
  bool good = true;
  for (const int gib : options.gib) good = Measure(gib, options, &rows) && good;
  Print(rows);
  if (good && rows.size() > 1) {
    const double ratio = rows.back().value / rows.front().value;
    std::printf("the largest takes %.2f times as long as the smallest; goal: %.1f: %s\n", ratio,
                kFlat, ratio <= kFlat ? "met" : "MISSED");
  }
  std::printf("%s\n", Load().c_str());
  return good && WriteJson(options.file, rows) ? 0 : 1;
}

}  // namespace
}  // namespace pandora_ha::bench

int main(int argc, char** argv) {
  return pandora_ha::bench::Main(argc, argv);
}
