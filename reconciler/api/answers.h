// What each address of the HTTP interface answers. No sockets here.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/loop/noticeboard.h"
#include "reconciler/model/intent.h"
#include "reconciler/model/status.h"

namespace pandora_ha {

// How intents get to a cluster's loop; the functions are called from the server's thread. Empty:
// nobody can ask for anything here, and the addresses answer 404.
struct IntentDesk {
  // kConflict: not taken, with the sentence for who asked.
  std::function<Status(const std::string& cluster, Intent)> ask;
  // Asked for and not taken up yet, the oldest first.
  std::function<std::vector<Intent>(const std::string& cluster)> pending;
  // What would be decided if this were asked for now. Keeps nothing.
  std::function<Decision(const Snapshot&, const Intent&)> would;
};

struct RefusedFile {
  std::string file;
  std::string problem;   // the first one, with its place
  std::size_t more = 0;  // problems beside it
};

// Where answers come from: the last snapshots, and functions handed in. All must outlive the server
// and be callable from its thread; a function may be empty, its address then answers 404.
struct ApiSources {
  const Noticeboard& noticeboard;
  const Clock& clock;
  // Which clusters this process is to look after, and since when.
  std::function<std::map<std::string, TimePoint>()> clusters;
  // Prometheus text, format 0.0.4.
  std::function<std::string()> metrics = {};
  // The newest `most` events of the cluster, oldest first.
  std::function<Result<std::vector<Event>>(const std::string& cluster, std::size_t most)> history =
      {};
  // Without a look at one of the clusters for so long, /healthz says 503. Longer than the longest
  // step of a plan.
  Duration looks_within = Seconds(90);
  IntentDesk intents = {};
  // Documents that are refused as they lie there.
  std::function<std::vector<RefusedFile>()> refused = {};
};

// kLocal: a Unix socket of our own user, the whole interface. kNetwork: probes and metrics only.
enum class Audience { kLocal, kNetwork };

struct Request {
  std::string_view method;
  std::string_view target;  // as it stands in the request line
  std::string_view body = {};
  std::string user = {};  // at the other end of the Unix socket
};

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow = "GET, HEAD";  // told with a 405
};

class Answers {
 public:
  explicit Answers(ApiSources sources);

  // Total: a bad request is 400 or 404, never an exception. Only GET and HEAD exist, and POST for
  // intents; for anything else on a known address the answer is 405.
  Answer To(Audience audience, const Request& request) const;

 private:
  Answer Health() const;
  Answer Readiness() const;
  Answer Cluster(std::string_view rest, std::string_view query, const Request& request) const;

  ApiSources sources_;
};

// {"error": …}
Answer Failure(int status, const std::string& says);

}  // namespace pandora_ha
