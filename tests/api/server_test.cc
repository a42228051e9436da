#include "reconciler/api/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reconciler/api/unix_socket.h"
#include "tests/api/running.h"

namespace pandora_ha {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(ApiServer, AnswersOnBothDoors) {
  Running running;
  running.Pin(World());
  running.Start();
  const auto status =
      ApiClient(running.options.socket_path).Get("/api/v1/clusters/pandora", running.Soon());
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ((*status)["state"], "Healthy");
  const std::string metrics = RawPeer(running.server->tcp_port()).Ask(Get("/metrics"));
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, HasSubstr("\r\n\r\npandora_ha_up 1\n"));
  EXPECT_THAT(RawPeer(running.server->tcp_port()).Ask(Get("/api/v1/clusters")),
              StartsWith("HTTP/1.1 404"));
}

TEST(ApiServer, ClientErrorsAreSentences) {
  Running running;
  running.Start();
  const auto missing =
      ApiClient(running.options.socket_path).Get("/api/v1/clusters/x", running.Soon());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("no such cluster"));
  const std::string path = running.options.socket_path;
  running.server.reset();
  const auto nobody = ApiClient(path).Get("/", running.Soon());
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().code, ErrorCode::kUnreachable);
  EXPECT_THAT(nobody.error().message, HasSubstr("No manager answers at " + path));
}

TEST(ApiServer, HeadHasTheLengthAndNoBody) {
  Running running;
  running.Start();
  const std::string answer =
      RawPeer(running.server->tcp_port())
          .Ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 16\r\n"));
  EXPECT_EQ(answer.find("pandora_ha_up"), std::string::npos);
}

TEST(ApiServer, KeepsAConnectionAndAnswersPipelinedRequestsInOrder) {
  Running running;
  running.Start();
  const std::string answers =
      RawPeer(running.server->tcp_port())
          .Ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n" +
               Get("/healthz"));
  const auto metrics = answers.find("pandora_ha_up 1");
  const auto missing = answers.find("404 Not Found");
  const auto health = answers.find("\r\n\r\nok\n");
  EXPECT_LT(metrics, missing);
  EXPECT_LT(missing, health);
  EXPECT_NE(health, std::string::npos);
}

TEST(ApiServer, AnAddressThatIsTakenIsAnError) {
  Running running;
  running.Start();
  ApiServerOptions second;
  second.tcp = Address{"127.0.0.1", running.server->tcp_port()};
  const auto taken = ApiServer::Start(second, running.Sources());
  ASSERT_FALSE(taken.ok());
  EXPECT_THAT(taken.error().message, HasSubstr("Cannot listen on 127.0.0.1:"));
  second.tcp = Address{"nowhere", 0};
  EXPECT_FALSE(ApiServer::Start(second, running.Sources()).ok());
}

TEST(ApiServer, EndsWithOpenConnections) {
  Running running;
  running.Start();
  RawPeer idle(running.server->tcp_port());
  RawPeer half(running.server->tcp_port());
  half.Send("GET /metr");
  running.server.reset();
  EXPECT_EQ(idle.ReadAll(), "");
}

TEST(ApiClient, TheDeadlineHoldsAgainstASilentPeer) {
  Running running;
  auto listener = UnixListener::Listen(running.options.socket_path);
  ASSERT_TRUE(listener.ok());
  const Deadline deadline(SystemClock(), Milliseconds(50));
  const auto silent = ApiClient(running.options.socket_path).Get("/", deadline);
  ASSERT_FALSE(silent.ok());
  EXPECT_EQ(silent.error().code, ErrorCode::kTimeout);
}

}  // namespace
}  // namespace pandora_ha
