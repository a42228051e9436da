// What is said over a supervisor's socket: one JSON object a line.
//
// To the supervisor: {"id": 7, "do": "start", …}. From it: the state, at once on connecting and
// after every change, {"state": {…}}; and one answer to each request, {"id": 7, "ok": true} or
// {"id": 7, "error": {…}}, sent after the state that the request led to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reconciler/base/result.h"
#include "reconciler/model/observation.h"
#include "reconciler/substrate/local/server_program.h"

namespace pandora_ha {

constexpr std::size_t kLongestSupervisorLine = 64 * 1024;

// What a supervisor may be asked.
//   start       runs the server; makes its data directory first when there is none. Answered when
//               that has begun; the state tells what becomes of it. Refused on a fenced node unless
//               `unfence`. With a `copy` the data directory is made anew in any case, and only
//               replaces the old one when it is whole.
//   stop, kill  end the server (SIGTERM, SIGKILL); answered when it has ended
//   fence       kill, and refuse every start without `unfence`, also after the supervisor's own end
//   discardOld  delete the data directory of before the last copy; answered when nobody can use
//               it any more, its space comes back later
//   archive     run a command that makes an archive of what the server committed by itself;
//               answered when it has begun, and the state tells the rest. The server is left alone
//   merge       likewise, one that brings an archive into the primary
//   stopMerge   end the process of that merge; answered when it has ended
//   rewind      likewise, one that takes an archive's transactions back on the server
//   verify      likewise, one that compares the server's rows with the primary's
//   quit        end the supervisor; refused while the server runs
//   claim       from now on whoever is connected now, and is not the asker, is refused all of the
//               above until it claims, too: a manager that was frozen and replaced orders nothing
enum class SupervisorVerb {
  kStart,
  kStop,
  kKill,
  kFence,
  kQuit,
  kClaim,
  kDiscardOld,
  kArchive,
  kMerge,
  kStopMerge,
  kRewind,
  kVerify
};

struct SupervisorRequest {
  std::uint64_t id = 0;
  SupervisorVerb verb = SupervisorVerb::kStart;
  // start:
  bool unfence = false;
  std::vector<std::string> serve;
  std::vector<std::string> serve_again;  // restarts in place: never with discarding
  InitialiseCommand initialise;
  Seconds restart_allowed{0};  // see RestartSpec
  // Not empty: the server is killed if it runs, and the data directory is made by `initialise` in
  // any case, under this name (CopySeen::id). The same order again changes nothing.
  std::string copy_id;
  bool set_aside = false;  // what was there before is never deleted by discardOld
  // archive, merge, stopMerge, rewind, verify:
  std::string job_id;     // the same order again changes nothing
  InitialiseCommand job;  // archive, merge, rewind, verify
};

struct SupervisorState {
  ProcessState process;
  std::int64_t supervisor_pid = 0;
  bool claimed = false;  // by the connection that this is said to

  bool operator==(const SupervisorState&) const = default;
};

// One line from a supervisor.
struct SupervisorMessage {
  std::optional<SupervisorState> state;
  std::optional<std::uint64_t> answer_to;
  std::optional<Error> error;
};

// Lines end in '\n'. Parsing a malformed line is an error, never an exception.
std::string PrintRequest(const SupervisorRequest& request);
Result<SupervisorRequest> ParseRequest(std::string_view line);
std::string PrintState(const SupervisorState& state);
std::string PrintAnswer(std::uint64_t id, const Status& status);
Result<SupervisorMessage> ParseMessage(std::string_view line);

// Takes the first whole line out of `buffer`; nothing when there is none.
std::optional<std::string> TakeLine(std::string* buffer);

}  // namespace pandora_ha
