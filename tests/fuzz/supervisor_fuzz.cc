// Any line at either end of a supervisor's socket.
#include "reconciler/substrate/local/supervisor_protocol.h"
#include "tests/fuzz/fuzz.h"

namespace pandora_ha {
namespace {

using fuzz::Law;

void CheckRequest(const std::string& line) {
  const auto request = ParseRequest(line);
  if (!request.ok()) return;
  const std::string printed = PrintRequest(*request);
  const auto again = ParseRequest(printed);
  Law(again.ok() && PrintRequest(*again) == printed, "a request is read back as it is", printed);
  if (request->verb != SupervisorVerb::kStart) return;
  Law(!request->serve.empty() && !request->serve_again.empty(), "a start has a command");
  // What the supervisor compares it with.
  Law(Duration(request->restart_allowed) >= Duration::zero(), "an allowance is a time", printed);
}

void CheckMessage(const std::string& line) {
  const auto message = ParseMessage(line);
  if (!message.ok() || !message->state) return;
  const auto again = ParseMessage(PrintState(*message->state));
  Law(again.ok() && again->state == message->state, "a state is read back as it is", line);
}

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  std::string buffer(reinterpret_cast<const char*>(data), size);
  const std::size_t all = buffer.size();
  std::size_t taken = 0;
  while (const auto line = TakeLine(&buffer)) {
    Law(line->find('\n') == std::string::npos, "a line is one line");
    taken += line->size() + 1;
    CheckRequest(*line);
    CheckMessage(*line);
  }
  Law(taken + buffer.size() == all, "nothing is lost between lines");
  CheckRequest(buffer);
  CheckMessage(buffer);
  return 0;
}
