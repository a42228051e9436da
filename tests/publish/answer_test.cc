#include "reconciler/publish/answer.h"

#include <gtest/gtest.h>

#include "tests/publish/mysql_packets.h"

namespace pandora_ha {
namespace {

using namespace test;
using Place = Answer::Place;

// A session that has logged in and asked.
Answer Asked(const std::string& question = Query("SELECT 1")) {
  Answer answer;
  answer.ServerSaid(Greeting());
  answer.ClientSaid(Login());
  answer.ServerSaid(OkPacket(kAutocommit, 2));
  answer.ClientSaid(question);
  return answer;
}

Place After(const std::string& reply, const std::string& question = Query("SELECT 1")) {
  Answer answer = Asked(question);
  answer.ServerSaid(reply);
  return answer.Now();
}

const std::string kHead = Packet(1, Bytes({1})) + Column(2);

TEST(Answer, IsUnclearUntilTheFirstStatement) {
  Answer answer;
  EXPECT_EQ(answer.Now(), Place::kBusy);
  answer.ServerSaid(Greeting());
  EXPECT_EQ(answer.Now(), Place::kUnclear);
  answer.ClientSaid(Login());
  EXPECT_EQ(answer.Now(), Place::kBusy);
  answer.ServerSaid(Packet(2, Bytes({1, 3})) + OkPacket(kAutocommit, 3));
  EXPECT_EQ(answer.Now(), Place::kUnclear);
  answer.ClientSaid(Query("BEGIN"));
  answer.ServerSaid(OkPacket());
  EXPECT_EQ(answer.Now(), Place::kBetween);
}

TEST(Answer, EndsWithOkErrOrEof) {
  EXPECT_EQ(After(OkPacket()), Place::kBetween);
  EXPECT_EQ(After(ErrPacket()), Place::kBetween);
  EXPECT_EQ(After(kHead + Eof(3) + Row(4, "a") + Eof(5)), Place::kBetween);
  EXPECT_EQ(After(kHead + Row(3, "a") + OkAtEnd(4)), Place::kBetween);
  EXPECT_EQ(After(Packet(1, Bytes({0, 0xfc, 1, 1, 5, 2, 0, 0, 0}) + std::string(60, 'i'))),
            Place::kBetween);
  EXPECT_EQ(Asked().Now(), Place::kBusy);
}

TEST(Answer, GoesOnInATransactionAndWithMoreResults) {
  EXPECT_EQ(After(OkPacket(kAutocommit | kInTransaction)), Place::kBusy);
  EXPECT_EQ(After(OkPacket(kAutocommit | kMoreResults)), Place::kBusy);
  EXPECT_EQ(After(kHead + Row(3, "a") + OkAtEnd(4, kInTransaction)), Place::kBusy);
  EXPECT_EQ(After(kHead + Eof(3) + Row(4, "a") + Eof(5, kMoreResults)), Place::kBusy);
  EXPECT_EQ(After(Packet(1, "\xfb/tmp/rows")), Place::kBusy) << "LOAD DATA LOCAL";
}

// PDO, mysqli and Connector/J close a prepared statement last; no server answers that.
TEST(Answer, WaitsForNoAnswerThatNeverComes) {
  Answer answer = Asked();
  answer.ServerSaid(OkPacket());
  answer.ClientSaid(Query("SELECT 1"));
  answer.ServerSaid(OkPacket());
  answer.ClientSaid(Packet(0, Bytes({0x19, 1, 0, 0, 0})));
  EXPECT_EQ(answer.Now(), Place::kBetween);
  answer.ClientSaid(Packet(0, Bytes({0x19, 1, 0, 0, 0})) + Query("SELECT 2"));
  EXPECT_EQ(answer.Now(), Place::kBusy) << "with a statement behind it";
}

TEST(Answer, RemembersTheTransactionBeyondAnError) {
  Answer answer = Asked(Query("BEGIN"));
  answer.ServerSaid(OkPacket(kInTransaction));
  answer.ClientSaid(Query("nonsense"));
  answer.ServerSaid(ErrPacket());
  EXPECT_EQ(answer.Now(), Place::kBusy);
  answer.ClientSaid(Query("COMMIT"));
  answer.ServerSaid(OkPacket());
  EXPECT_EQ(answer.Now(), Place::kBetween);
}

TEST(Answer, TakesNoRowForAnEnd) {
  EXPECT_EQ(After(kHead), Place::kUnclear);
  EXPECT_EQ(After(kHead + Row(3, "a")), Place::kUnclear);
  const std::string long_row = Row(3, std::string(200, 'r'));
  std::string rows;
  while (rows.size() < 20'000) rows += long_row;
  EXPECT_EQ(After(kHead + rows), Place::kBusy) << "a long result is on its way, however slowly";
  EXPECT_EQ(After(kHead + rows + Eof(5)), Place::kBetween);
  EXPECT_EQ(After(kHead + Packet(3, Bytes({0, 0, 7, 0, 0, 0, 0}))), Place::kUnclear) << "binary";
  EXPECT_EQ(After(OkPacket() + Packet(2, "x")), Place::kUnclear);
  EXPECT_EQ(
      After(Packet(1, Bytes({0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0})), Packet(0, "\x16SELECT ?")),
      Place::kUnclear)
      << "a prepared statement tells no state";
  EXPECT_EQ(After(Packet(1, Bytes({0xff, 0xff, 0xff, 1, 1, 1}))), Place::kUnclear) << "progress";
}

TEST(Answer, ReadsTheSameWhateverTheCuts) {
  const std::string whole = kHead + Eof(3) + Row(4, std::string(100, 'a')) + Eof(5, kInTransaction);
  for (std::size_t step = 1; step <= whole.size(); ++step) {
    Answer answer = Asked();
    for (std::size_t at = 0; at < whole.size(); at += step)
      answer.ServerSaid(whole.substr(at, step));
    EXPECT_EQ(answer.Now(), Place::kBusy) << step;
  }
}

TEST(Answer, SeesNothingOfAnEncryptedSession) {
  EXPECT_EQ(After(Bytes({0x16, 3, 3, 0, 80}) + std::string(80, 'h')), Place::kUnclear);
  EXPECT_EQ(After(Bytes({0x17, 3, 3, 0, 80}) + std::string(80, 'd')), Place::kHidden);
}

TEST(Answer, StandsAnyBytes) {
  unsigned seed = 1;
  for (int round = 0; round < 20000; ++round) {
    Answer answer;
    for (int turn = 0; turn < 6; ++turn) {
      std::string bytes(1 + (seed >> 8) % 40, '\0');
      for (char& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<char>((seed >> 24) % 3 == 0 ? seed >> 16 : (seed >> 16) % 12);
      }
      if (turn % 2 == 0)
        answer.ServerSaid(bytes);
      else
        answer.ClientSaid(bytes);
      answer.Now();
    }
  }
}

}  // namespace
}  // namespace pandora_ha
