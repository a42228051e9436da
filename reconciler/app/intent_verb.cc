#include "reconciler/app/intent_verb.h"

#include <istream>
#include <nlohmann/json.hpp>

#include "reconciler/app/ask.h"
#include "reconciler/app/change_of_roles.h"
#include "reconciler/app/render.h"
#include "reconciler/base/random.h"
#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr Duration kBetweenQuestions = Milliseconds(200);
constexpr Duration kOneQuestion = Seconds(5);
constexpr Duration kBetweenLines = Seconds(10);
constexpr int kMostQuestionsAfterwards = 15;
constexpr std::size_t kTerminalLine = 110;

// "switchover-k3x9…": nobody else's, and readable in the history.
std::string NewId(const Wish& wish) {
  std::string id = std::string(KindOf(wish)) + "-";
  for (const char c : RandomPassword().substr(0, 16))
    id += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : (c == '_' ? '-' : c);
  return id;
}

int CodeOf(const std::string& state) {
  if (state == "done") return kExitHealthy;
  if (state == "refused" || state == "takenBack" || state == "superseded") return kExitRefused;
  return kExitError;
}

// Progress alone is no news.
std::string WithoutNumbers(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

bool IsOver(const std::string& state) {
  return state != "pending" && state != "underWay";
}

// One run of one verb.
class Asking {
 public:
  Asking(const IntentVerbOptions& options, const std::string& cluster, std::ostream& out,
         std::ostream& err)
      : options_(options),
        client_(options.ask.socket_path),
        address_("/api/v1/clusters/" + cluster),
        out_(out),
        err_(err) {}

  int Run() {
    if (options_.dry_run) return DryRun();
    if (ChangesRoles(options_.intent.wish)) {
      const auto status = client_.Get(address_, Soon());
      if (!status.ok()) return Fail(status.error(), err_);
      before_ = *status;
      if (const int code = Confirm(); code != kExitHealthy) return code;
    }
    const Deadline deadline(SystemClock(), options_.ask.timeout);
    const auto taken =
        client_.Post(address_ + "/intents", ToJson(options_.intent), deadline.Within(kOneQuestion));
    if (!taken.ok()) {
      if (taken.error().code == ErrorCode::kTimeout) return MayStillHappen();
      return Fail(taken.error(), err_);
    }
    if (options_.wait) return Wait(*taken, deadline);
    PrintDocument(options_.ask, *taken,
                  RenderIntent(*taken, options_.ask.style) +
                      "Not waited for; `pandora-ha explain` shows what becomes of it.\n",
                  out_);
    return kExitHealthy;
  }

 private:
  static Deadline Soon() { return {SystemClock(), kOneQuestion}; }

  Result<json> Preview() {
    return client_.Post(address_ + "/intents?dryRun=true", ToJson(options_.intent), Soon());
  }

  int DryRun() {
    const auto preview = Preview();
    if (!preview.ok()) return Fail(preview.error(), err_);
    const Style& style = options_.ask.style;
    json record = preview->value("intent", json::object());
    const std::string state = TextOf(record, "state");
    std::string change;
    if (!IsOver(state) && ChangesRoles(options_.intent.wish)) {
      if (const auto status = client_.Get(address_, Soon()); status.ok())
        change =
            RenderChange(*status, options_.intent.wish, TextOf(*preview, "nextPrimary"), style);
    }
    // Nothing is under way or done, and no time runs.
    if (state == "done") record["state"] = "would be done";
    if (!IsOver(state)) record["state"] = "would be taken up";
    record.erase("giveUpAt");
    PrintDocument(options_.ask, *preview,
                  RenderIntent(record, style) + change + RenderSteps(*preview, style) +
                      RenderBlocked(*preview, style) + "A dry run: nothing was kept or done.\n",
                  out_);
    return IsOver(state) ? CodeOf(state) : kExitHealthy;
  }

  // 0: go on.
  int Confirm() {
    if (options_.yes) return kExitHealthy;
    const std::string what = Describe(options_.intent.wish);
    if (!options_.terminal || options_.in == nullptr) {
      err_ << "pandora-ha: \"" << what
           << "\" needs a confirmation, and nobody is at a terminal here; say --yes. Nothing was "
              "sent.\n";
      return kExitUnconfirmed;
    }
    const auto preview = Preview();
    if (!preview.ok()) return Fail(preview.error(), err_);
    const json record = preview->value("intent", json::object());
    if (CodeOf(TextOf(record, "state")) == kExitRefused) {
      err_ << RenderIntent(record, {}) << "Nothing was sent.\n";
      return kExitRefused;
    }
    err_ << RenderChange(before_, options_.intent.wish, TextOf(*preview, "nextPrimary"), {}) << what
         << ": go on? Type yes: " << std::flush;
    std::string answer;
    std::getline(*options_.in, answer);
    if (answer == "yes" || answer == "y") return kExitHealthy;
    err_ << "Nothing was sent.\n";
    return kExitUnconfirmed;
  }

  int Wait(json record, const Deadline& deadline) {
    while (true) {
      Tell(record);
      if (IsOver(TextOf(record, "state"))) return Finish(record);
      if (deadline.passed() ||
          options_.interrupted(std::min<Duration>(kBetweenQuestions, deadline.left())))
        return MayStillHappen();
      auto answer =
          client_.Get(address_ + "/intents/" + options_.intent.id, deadline.Within(kOneQuestion));
      // A manager that is just being restarted knows its intents again in a moment.
      const bool known = answer.ok();
      if (!known && answer.error().code != ErrorCode::kUnreachable &&
          answer.error().code != ErrorCode::kTimeout)
        return Fail(answer.error(), err_);
      if (known) record = *std::move(answer);
    }
  }

  // What is said of it now. A terminal keeps one line for it; a file gets one now and then.
  void Tell(const json& record) {
    const std::string says = TextOf(record, "says");
    const TimePoint now = SystemClock().Now().mono;
    const std::string state = TextOf(record, "state");
    const bool first = state != told_state_, over = IsOver(state);
    if (first && !over) {
      err_ << RenderIntent(record, {});
    } else if (options_.terminal && !first) {
      err_ << "\r\x1b[K" << (over ? "" : "    " + says.substr(0, kTerminalLine));
    } else if (says != told_ && !over &&
               (WithoutNumbers(says) != WithoutNumbers(told_) || now - told_at_ >= kBetweenLines)) {
      err_ << "    " << says << "\n";
    } else {
      return;
    }
    err_ << std::flush;
    told_ = says;
    told_state_ = state;
    told_at_ = now;
  }

  // What follows from a change of roles (a replica is repointed, waiting begins) takes a moment,
  // and a picture from the middle of it frightens. So: a look of afterwards that leaves nothing to
  // do.
  void AwaitSettled() {
    std::string first;
    for (int i = 0; i < kMostQuestionsAfterwards; ++i) {
      const auto plan = client_.Get(address_ + "/plan", Soon());
      if (!plan.ok()) return;
      const std::string seen_at = TextOf(*plan, "observedAt");
      if (first.empty()) first = seen_at;
      const json steps = plan->value(json::json_pointer("/plan/steps"), json::array());
      if ((seen_at != first && steps.empty()) || options_.interrupted(kBetweenQuestions)) return;
    }
  }

  int Finish(const json& record) {
    json document = {{"intent", record}};
    std::string text = RenderIntent(record, options_.ask.style);
    if (before_.is_object() && TextOf(record, "state") != "refused") {
      document["before"] = before_;
      text += "\nBefore\n" + RenderTopology(before_, options_.ask.style);
      AwaitSettled();
      const auto after = client_.Get(address_, Soon());
      if (after.ok()) {
        document["after"] = *after;
        text += "\nNow\n" + RenderTopology(*after, options_.ask.style);
      } else {
        Fail(after.error(), err_);
      }
    }
    PrintDocument(options_.ask, document, text, out_);
    return CodeOf(TextOf(record, "state"));
  }

  int MayStillHappen() {
    err_ << "pandora-ha: Not waited for any longer. It was sent as " << options_.intent.id
         << " and may still happen; `pandora-ha status` and `pandora-ha explain` show what becomes "
            "of it.\n";
    return kExitTimeout;
  }

  const IntentVerbOptions& options_;
  const ApiClient client_;
  const std::string address_;
  std::ostream& out_;
  std::ostream& err_;
  json before_;  // null: what is asked for changes no roles
  std::string told_, told_state_;
  TimePoint told_at_{};
};

}  // namespace

int IntentVerb(IntentVerbOptions options, std::ostream& out, std::ostream& err) {
  options.intent.id = NewId(options.intent.wish);
  const auto cluster = ClusterToAsk(options.ask, ApiClient(options.ask.socket_path),
                                    Deadline(SystemClock(), kOneQuestion));
  if (!cluster.ok()) return Fail(cluster.error(), err);
  return Asking(options, *cluster, out, err).Run();
}

}  // namespace pandora_ha
