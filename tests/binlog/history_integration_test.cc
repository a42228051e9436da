// What is read from a server's binary logs is what the server itself selects: it is the judge of
// every type, of both flavors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

#include "reconciler/binlog/account.h"
#include "reconciler/binlog/history.h"
#include "tests/binlog/one_server.h"

namespace pandora_ha::testing {
namespace {

namespace fs = std::filesystem;

struct Column {
  const char* type;
  const char* selected;  // how the server shows what the log holds; %s is the column
  bool is_signed = false;
};

// Every type whose values are read, with the widths and precisions that have a form of their own.
constexpr Column kColumns[] = {
    {"TINYINT", "%s", true},
    {"SMALLINT UNSIGNED", "%s"},
    {"MEDIUMINT", "%s", true},
    {"INT UNSIGNED", "%s"},
    {"BIGINT", "%s", true},
    {"BIGINT UNSIGNED", "%s"},
    {"DOUBLE", "%s"},
    {"DECIMAL(5,0)", "%s"},
    {"DECIMAL(20,6)", "%s"},
    {"DECIMAL(65,30)", "%s"},
    {"CHAR(10)", "HEX(%s)"},
    {"CHAR(100) CHARACTER SET utf8mb4", "HEX(%s)"},  // longer than a byte can say
    {"VARCHAR(60)", "HEX(%s)"},
    {"VARCHAR(300) CHARACTER SET latin1", "HEX(%s)"},
    {"TINYTEXT", "HEX(%s)"},
    {"TEXT", "HEX(%s)"},
    {"MEDIUMTEXT", "HEX(%s)"},
    {"LONGBLOB", "HEX(%s)"},
    {"VARBINARY(40)", "HEX(%s)"},
    {"DATE", "%s"},
    {"YEAR", "%s"},
    {"TIME", "%s"},
    {"TIME(1)", "%s"},
    {"TIME(4)", "%s"},
    {"TIME(6)", "%s"},
    {"DATETIME", "%s"},
    {"DATETIME(3)", "%s"},
    {"DATETIME(6)", "%s"},
    {"TIMESTAMP NULL", "UNIX_TIMESTAMP(%s)"},
    {"TIMESTAMP(2) NULL", "UNIX_TIMESTAMP(%s)"},
    {"TIMESTAMP(5) NULL", "UNIX_TIMESTAMP(%s)"},
    {"ENUM('a','b','c')", "%s+0"},
    {"SET('x','y','z','u','v','w','1','2','3')", "%s+0"},
    {"BIT(1)", "%s+0"},
    {"BIT(13)", "%s+0"},
    {"BIT(64)", "%s+0"},
};
constexpr std::size_t kColumnCount = std::size(kColumns);

std::string Name(std::size_t column) {
  return "c" + std::to_string(column);
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  unsigned Below(unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(engine_);
  }
  std::uint64_t Any() {
    // Ends of the ranges more often than chance would have them.
    switch (Below(6)) {
      case 0:
        return 0;
      case 1:
        return ~std::uint64_t{0};
      case 2:
        return std::uint64_t{1} << Below(64);
      default:
        return std::uniform_int_distribution<std::uint64_t>()(engine_);
    }
  }

 private:
  std::mt19937 engine_;
};

std::string Text(Random& random, unsigned longest, bool latin) {
  static const char* const kPieces[] = {"a", "'",    "\\", "\n",       "\t", "(12,",
                                        ")", "\"",   "%",  "\xc3\xa9", ";",  "&#x20;",
                                        " ", "\x01", "--", "\\x27"};
  std::string text;
  for (unsigned left = random.Below(longest); left > 0; --left) {
    const char* piece = kPieces[random.Below(std::size(kPieces))];
    if (latin && static_cast<unsigned char>(*piece) > 127) piece = "e";
    text += piece;
  }
  if (!latin && random.Below(3) == 0) text += "\xf0\x9f\x94\xa5";
  std::string literal = "x'";
  for (const char c : text) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02X", static_cast<unsigned char>(c));
    literal += hex;
  }
  return literal + "'";
}

std::string Print(const char* format, auto... arguments) {
  char text[128];
  std::snprintf(text, sizeof text, format, arguments...);
  return text;
}

// A literal for a column of this type.
std::string Draw(Random& random, const std::string& type) {
  const auto begins = [&](const char* word) { return type.starts_with(word); };
  if (random.Below(8) == 0) return "NULL";
  const std::uint64_t any = random.Any();
  const auto number = [&](int bits, bool is_signed) {
    const std::uint64_t cut = bits == 64 ? any : any & ((std::uint64_t{1} << bits) - 1);
    if (!is_signed) return std::to_string(cut);
    const int unused = 64 - bits;
    return std::to_string(static_cast<std::int64_t>(cut << unused) >> unused);
  };
  const std::string fraction = "." + std::to_string(random.Below(1000000));
  if (begins("TINYINT")) return number(8, true);
  if (begins("SMALLINT")) return number(16, false);
  if (begins("MEDIUMINT")) return number(24, true);
  if (begins("INT")) return number(32, false);
  if (begins("BIGINT")) return number(64, !type.ends_with("UNSIGNED"));
  if (begins("DOUBLE"))
    return Print("%.17g", std::ldexp(static_cast<double>(any), static_cast<int>(random.Below(99))) *
                              (random.Below(2) == 0 ? -1 : 1));
  if (begins("DECIMAL(5,0)")) return std::to_string(static_cast<int>(random.Below(199999)) - 99999);
  if (begins("DECIMAL")) {
    return std::string(random.Below(2) == 0 ? "-" : "") + std::to_string(any % 10000000000000) +
           fraction + (begins("DECIMAL(65") ? std::to_string(random.Any()) : "");
  }
  if (begins("ENUM")) return std::to_string(1 + random.Below(3));
  if (begins("SET")) return std::to_string(random.Below(512));
  if (begins("BIT(1)")) return std::to_string(any & 1);
  if (begins("BIT(13)")) return std::to_string(any & 8191);
  if (begins("BIT")) return std::to_string(any);
  if (begins("YEAR")) return random.Below(9) == 0 ? "0" : std::to_string(1901 + random.Below(255));
  const std::string date = Print("%04u-%02u-%02u", 1000 + random.Below(9000), 1 + random.Below(12),
                                 1 + random.Below(28));
  const std::string time =
      Print("%02u:%02u:%02u", random.Below(24), random.Below(60), random.Below(60));
  if (begins("DATETIME")) return "'" + date + " " + time + fraction + "'";
  if (begins("DATE")) return "'" + date + "'";
  if (begins("TIMESTAMP")) {
    return "'" + std::to_string(1971 + random.Below(60)) + date.substr(4) + " " + time + fraction +
           "'";
  }
  if (begins("TIME"))
    return "'" + std::string(random.Below(2) == 0 ? "-" : "") + std::to_string(random.Below(838)) +
           time.substr(2) + fraction + "'";
  const bool latin = type.ends_with("latin1");
  if (begins("CHAR(10)") || begins("VARBINARY")) return Text(random, 8, latin);
  return Text(random, begins("TINYTEXT") ? 40 : 58, latin);
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (const char c : bytes) hex += Print("%02X", static_cast<unsigned char>(c));
  return hex;
}

// As the server's own text of the column.
std::string Shown(const Value& value, const Column& column) {
  if (std::holds_alternative<Null>(value)) return "NULL";
  if (const auto* integer = std::get_if<Integer>(&value)) {
    if (std::string(column.type) == "YEAR") return Print("%04d", static_cast<int>(integer->bits));
    return column.is_signed ? std::to_string(integer->Signed())
                            : std::to_string(integer->Unsigned());
  }
  if (const auto* number = std::get_if<double>(&value)) return Print("%.17g", *number);
  const auto& text = std::get<std::string>(value);
  return std::string(column.selected).starts_with("HEX") ? Hex(text) : text;
}

// The rows that are there after everything that the logs say, by `id`, the first column.
class Replay final : public HistoryVisitor {
 public:
  Result<bool> Begin(const TransactionHead& head) override {
    seen = seen.Union(head.gtid);
    return true;
  }
  Status Changed(const TableMap& table, const RowChange& change) override {
    if (table.table != "every_type") return Ok();
    ++changes;
    if (!change.before.empty() && rows.erase(Id(change.before)) != 1)
      return Error{ErrorCode::kInvalid, "a row that was not there has changed"};
    if (!change.after.empty()) rows[Id(change.after)] = change.after;
    return Ok();
  }
  Status Stated(std::string_view, std::string_view statement) override {
    statements.emplace_back(statement);
    return Ok();
  }
  Status Committed() override {
    ++commits;
    return Ok();
  }

  static std::uint64_t Id(const Row& row) { return std::get<Integer>(*row.at(0)).Unsigned(); }

  GtidSet seen;
  std::map<std::uint64_t, Row> rows;
  std::vector<std::string> statements;
  int changes = 0, commits = 0;
};

class HistoryTest : public OneServer {
 protected:
  Status ReadInto(HistoryVisitor& visitor) {
    HistoryReader reader(GetParam(), visitor);
    return reader.ReadAll(Binlogs());
  }
};
ON_BOTH_SERVERS(HistoryTest);

TEST_P(HistoryTest, RowsOfEveryTypeAreWhatTheServerSelects) {
  std::string create = "CREATE TABLE every_type (id INT UNSIGNED PRIMARY KEY";
  for (std::size_t i = 0; i < kColumnCount; ++i) create += ", " + Name(i) + " " + kColumns[i].type;
  Do(create + ") ENGINE=InnoDB");
  Random random(20261125);
  constexpr unsigned kRows = 200;
  for (unsigned id = 1; id <= kRows; ++id) {
    std::string insert = "INSERT INTO every_type VALUES (" + std::to_string(id);
    for (const Column& column : kColumns) insert += ", " + Draw(random, column.type);
    Do(insert + ")");
    if (id == kRows / 2) Do("FLUSH BINARY LOGS");
  }
  for (int i = 0; i < 60; ++i) {
    const std::size_t column = random.Below(kColumnCount);
    Do("BEGIN; UPDATE every_type SET " + Name(column) + "=" + Draw(random, kColumns[column].type) +
       " WHERE id=" + std::to_string(1 + random.Below(kRows)) +
       "; DELETE FROM every_type WHERE id=" + std::to_string(1 + random.Below(kRows * 4)) + "; " +
       (random.Below(4) == 0 ? "ROLLBACK" : "COMMIT"));
  }

  Replay replay;
  const Status read = ReadInto(replay);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(replay.seen.Contains(Executed())) << replay.seen.ToString();
  EXPECT_TRUE(Executed().Contains(replay.seen));
  EXPECT_GT(replay.changes, 220);

  std::string select = "SELECT id";
  for (std::size_t i = 0; i < kColumnCount; ++i) {
    std::string shown = kColumns[i].selected;
    shown.replace(shown.find("%s"), 2, Name(i));
    select += ", COALESCE(" + shown + ",'NULL')";
  }
  const auto rows = session_->Query(select + " FROM every_type", In(Seconds(10)));
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  ASSERT_EQ(rows->size(), replay.rows.size());
  for (std::size_t r = 0; r < rows->size(); ++r) {
    const auto cell = [&](std::size_t i) { return rows->cells[r][i].value_or(""); };
    const Row& row = replay.rows.at(std::stoull(cell(0)));
    for (std::size_t i = 0; i < kColumnCount; ++i) {
      const std::string read_text = Shown(*row[i + 1], kColumns[i]);
      if (std::string(kColumns[i].type) == "DOUBLE" && read_text != "NULL") {
        EXPECT_EQ(std::stod(read_text), std::stod(cell(i + 1)));
      } else {
        EXPECT_EQ(read_text, cell(i + 1)) << kColumns[i].type << " of row " << cell(0);
      }
    }
  }
}

TEST_P(HistoryTest, OwnTransactionsAreCountedByTableAndMarksApart) {
  Do("CREATE TABLE pandora_ha_heartbeat (id INT PRIMARY KEY, epoch INT)");
  Do("CREATE TABLE tagente_datos (id INT, datos DOUBLE); "
     "CREATE TABLE tevento (id INT PRIMARY KEY, evento TEXT)");
  Do("INSERT INTO tevento VALUES (1,'before')");
  const GtidSet known = Executed();
  Do("INSERT INTO pandora_ha_heartbeat VALUES (1,7)");
  Do("UPDATE pandora_ha_heartbeat SET epoch=8");
  {
    Accountant marks({known, std::nullopt}, "pandora");
    ASSERT_TRUE(ReadInto(marks).ok());
    EXPECT_EQ(marks.Sum().transactions, 2u);
    EXPECT_TRUE(marks.Sum().OnlyMarks());
    EXPECT_FALSE(marks.Sum().first);
  }
  Do("INSERT INTO tagente_datos VALUES (1,1),(2,2),(3,3)");
  Do("BEGIN; UPDATE tevento SET evento='after'; INSERT INTO tevento VALUES (2,'x'); "
     "UPDATE pandora_ha_heartbeat SET epoch=9; COMMIT");
  Do("DELETE FROM tagente_datos WHERE id=2");
  Do("CREATE TABLE tnew (id INT PRIMARY KEY)");
  Do("BEGIN; INSERT INTO tevento VALUES (3,'never'); ROLLBACK");

  Accountant accountant({known, std::nullopt}, "pandora");
  const Status read = ReadInto(accountant);
  ASSERT_TRUE(read.ok()) << read.error().message;
  const Divergence sum = accountant.Sum();
  EXPECT_EQ(sum.transactions, 6u);
  EXPECT_EQ(sum.marks, 2u);
  EXPECT_EQ(sum.tables.size(), 2u);
  EXPECT_EQ(sum.tables.at("pandora.tagente_datos"), (RowCounts{3, 0, 1}));
  EXPECT_EQ(sum.tables.at("pandora.tevento"), (RowCounts{1, 1, 0}));
  EXPECT_EQ(sum.statement_count, 1u);
  EXPECT_EQ(sum.statements.at(0), "pandora: CREATE TABLE tnew (id INT PRIMARY KEY)");
  ASSERT_TRUE(sum.first && sum.last);
  EXPECT_LE(*sum.first, *sum.last);
  EXPECT_FALSE(sum.OnlyMarks());
  EXPECT_EQ(accountant.counted(), Executed().Subtract(known));
}

TEST_P(HistoryTest, AFileTellsWhatCameBeforeIt) {
  Do("CREATE TABLE t (id INT PRIMARY KEY)");
  const GtidSet before = Executed();
  Do("FLUSH BINARY LOGS");
  Do("INSERT INTO t VALUES (1)");
  const auto files = Binlogs();
  const auto told = HistoryBefore(GetParam(), files.back());
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_EQ(*told, before);
  const auto first = HistoryBefore(GetParam(), files.front());
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(before.Contains(*first));
}

// The server's own recovery drops what is not whole.
TEST_P(HistoryTest, AFileThatACrashCutEndsBeforeWhatIsNotWhole) {
  Do("CREATE TABLE t (id INT PRIMARY KEY, text VARCHAR(100))");
  const GtidSet known = Executed();
  Do("FLUSH BINARY LOGS");
  const std::string file = Binlogs().back();
  for (int i = 0; i < 5; ++i) Do("INSERT INTO t VALUES (" + std::to_string(i) + ",'0123456789')");
  const std::string cut = server_->directory() + "/cut";
  fs::copy_file(file, cut);
  std::uint64_t transactions = 5;
  for (auto size = fs::file_size(cut); size > 4; --size) {
    fs::resize_file(cut, size);
    Accountant accountant({known, std::nullopt}, "pandora");
    HistoryReader reader(GetParam(), accountant);
    const Status read = reader.Read(cut);
    ASSERT_TRUE(read.ok()) << size << ": " << read.error().message;
    const std::uint64_t now = accountant.Sum().transactions;
    ASSERT_LE(now, transactions) << size;
    ASSERT_LE(transactions - now, 1u) << size;
    transactions = now;
  }
  EXPECT_EQ(transactions, 0u);
}

// Only a server that has ended there leaves such a file, and no log follows it.
TEST_P(HistoryTest, AnEarlierFileThatIsCutIsRefused) {
  Do("CREATE TABLE t (id INT PRIMARY KEY)");
  Do("INSERT INTO t VALUES (1)");
  Do("FLUSH BINARY LOGS");
  Do("INSERT INTO t VALUES (2)");
  std::vector<std::string> files = Binlogs();
  const std::string cut = server_->directory() + "/cut";
  fs::copy_file(files.front(), cut);
  files.front() = cut;
  Replay replay;
  EXPECT_TRUE(HistoryReader(GetParam(), replay).ReadAll(files).ok());
  fs::resize_file(cut, fs::file_size(cut) - 60);
  const Status read = HistoryReader(GetParam(), replay).ReadAll(files);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
}

TEST_P(HistoryTest, AFlippedBitIsNotRead) {
  Do("CREATE TABLE t (id INT PRIMARY KEY, text VARCHAR(100))");
  Do("INSERT INTO t VALUES (1,'some text to be changed')");
  const std::string file = Binlogs().back();
  const std::string bent = server_->directory() + "/bent";
  fs::copy_file(file, bent);
  std::fstream bytes(bent, std::ios::in | std::ios::out | std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(bytes), {}};
  bytes.clear();
  const auto where = all.rfind("to be changed");
  ASSERT_NE(where, std::string::npos);
  bytes.seekp(static_cast<std::streamoff>(where));
  bytes.put('T');
  bytes.close();
  Accountant accountant({{}, std::nullopt}, "pandora");
  HistoryReader reader(GetParam(), accountant);
  const Status read = reader.Read(bent);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
  EXPECT_NE(read.error().message.find("checksum"), std::string::npos) << read.error().message;
}

}  // namespace
}  // namespace pandora_ha::testing
