// What people ask for: from a request's body, to and from memory, and as it is told.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "reconciler/model/json.h"
#include "reconciler/model/json_fields.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostWithin = 3600;
constexpr std::int64_t kMostPause = 30 * 24 * 3600;

// The one table of what each kind says, for those who read and those who write.
template <class W, class F>
void EachField(W& wish, const F& field) {
  using T = std::remove_const_t<W>;
  if constexpr (std::is_same_v<T, Switchover>) {
    field("to", wish.to);
    field("endTransactions", wish.end_transactions);
  } else if constexpr (std::is_same_v<T, ForcedFailover>) {
    field("to", wish.to);
    field("allowDataLoss", wish.allow_data_loss);
  } else if constexpr (std::is_same_v<T, Pause>) {
    field("node", wish.node);
    field("lastsSeconds", wish.lasts);
  } else if constexpr (std::is_same_v<T, Resume>) {
    field("node", wish.node);
  } else if constexpr (std::is_same_v<T, Fence>) {
    field("node", wish.node);
    field("evenPrimary", wish.even_primary);
  } else if constexpr (std::is_same_v<T, Unfence>) {
    field("node", wish.node);
  } else if constexpr (std::is_same_v<T, Resync>) {
    field("node", wish.node);
    field("setAside", wish.set_aside);
  } else {
    static_assert(std::is_same_v<T, Acknowledge>);
  }
}

const std::array<Wish, 8> kEmptyWishes = {Switchover{}, ForcedFailover{}, Pause{},  Resume{},
                                          Fence{},      Unfence{},        Resync{}, Acknowledge{}};

// Null: no such kind.
const Wish* EmptyWish(const std::string& kind) {
  const auto* const found = std::find_if(kEmptyWishes.begin(), kEmptyWishes.end(),
                                         [&](const Wish& wish) { return KindOf(wish) == kind; });
  return found == kEmptyWishes.end() ? nullptr : found;
}

std::string Listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// ---- Texts of strangers. ------------------------------------------------------------------------

bool IsDnsLabel(const std::string& text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

bool IsId(const std::string& text) {
  return text.size() >= 8 && text.size() <= 64 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

// The next character of UTF-8; 0 when it is malformed.
char32_t Next(std::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || size > text->size()) return 0;
  char32_t out = size == 1 ? first : first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto more = static_cast<unsigned char>((*text)[i]);
    if ((more & 0xc0u) != 0x80) return 0;
    out = (out << 6) | (more & 0x3fu);
  }
  text->remove_prefix(size);
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = out >= 0xd800 && out < 0xe000;
  return out < kLeast[size] || out > 0x10ffff || surrogate ? 0 : out;
}

}  // namespace

bool IsPrintable(std::string_view text) {
  while (!text.empty()) {
    const char32_t c = Next(&text);
    const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    const bool line = c == 0x2028 || c == 0x2029;
    const bool turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    if (control || line || turns) return false;
  }
  return true;
}

namespace {

// Reads an object that anybody may have written; keeps every problem.
class Body {
 public:
  explicit Body(const json& object) : object_(object) {}

  // Null: absent.
  const json* Find(const std::string& key) {
    allowed_.push_back(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  void Fail(const std::string& key, const std::string& rule) {
    problems_.push_back("\"" + key + "\" must be " + rule + ".");
  }

  void Text(const std::string& key, bool needed, bool (*is)(const std::string&),
            const std::string& rule, std::string* out) {
    const json* found = Find(key);
    if (found == nullptr && !needed) return;
    if (found == nullptr || !found->is_string() || !is(found->get_ref<const std::string&>()))
      return Fail(key, rule);
    *out = found->get<std::string>();
  }
  void Whole(const std::string& key, std::int64_t most, std::optional<Seconds>* out) {
    const json* found = Find(key);
    if (found == nullptr) return;
    if (!found->is_number_integer() || *found < 1 || *found > most)
      return Fail(key, "a whole number of seconds from 1 to " + std::to_string(most));
    *out = Seconds(found->get<std::int64_t>());
  }

  // The fields of a wish, by type.
  void operator()(const char* key, bool& out) {
    const json* found = Find(key);
    if (found == nullptr) return;
    found->is_boolean() ? void(out = found->get<bool>()) : Fail(key, "true or false");
  }
  void operator()(const char* key, NodeName& out) { Text(key, true, IsDnsLabel, kName, &out.text); }
  void operator()(const char* key, std::optional<NodeName>& out) {
    if (object_.contains(key)) out.emplace();
    Text(key, false, IsDnsLabel, kName, out ? &out->text : nullptr);
  }
  void operator()(const char* key, std::optional<Seconds>& out) { Whole(key, kMostPause, &out); }

  void RefuseOthers(const std::string& kind) {
    for (const auto& [key, ignored] : object_.items()) {
      if (std::find(allowed_.begin(), allowed_.end(), key) != allowed_.end()) continue;
      problems_.push_back("\"" + (key.size() <= 64 && IsPrintable(key) ? key : std::string("…")) +
                          "\" is no field of this intent (" + kind + " has " + Listed(allowed_) +
                          ").");
    }
  }
  Status Verdict() const {
    if (problems_.empty()) return Ok();
    std::string all;
    for (const std::string& problem : problems_) all += (all.empty() ? "" : " ") + problem;
    return Error{ErrorCode::kInvalid, all, 0};
  }

 private:
  static constexpr const char* kName = "the name of a node (a DNS label: a-z, 0-9 and '-')";
  const json& object_;
  std::vector<std::string> allowed_;
  std::vector<std::string> problems_;
};

// ---- Writing. -----------------------------------------------------------------------------------

struct Writer {
  json* out;
  void operator()(const char* key, bool value) const { (*out)[key] = value; }
  void operator()(const char* key, const NodeName& value) const { (*out)[key] = value.text; }
  void operator()(const char* key, const std::optional<NodeName>& value) const {
    if (value) (*out)[key] = value->text;
  }
  void operator()(const char* key, const std::optional<Seconds>& value) const {
    if (value) (*out)[key] = value->count();
  }
};

// What memory keeps and what is told have in common.
json RecordToJson(const IntentRecord& record) {
  json out = ToJson(record.intent);
  out["by"] = record.intent.by;
  out["askedAt"] = FormatWallTime(record.intent.asked_at);
  out["state"] = ToString(record.state);
  out["says"] = record.says;
  out["at"] = FormatWallTime(record.at);
  out["attempts"] = record.attempts;
  return out;
}

}  // namespace

json ToJson(const Intent& intent) {
  json out = {{"id", intent.id}, {"kind", KindOf(intent.wish)}, {"reason", intent.reason}};
  if (ChangesPrimary(intent.wish)) out["withinSeconds"] = intent.within.count();
  std::visit([&](const auto& wish) { EachField(wish, Writer{&out}); }, intent.wish);
  return out;
}

Result<Intent> IntentFromJson(const json& value) {
  if (!value.is_object()) return Error{ErrorCode::kInvalid, "An intent must be a JSON object.", 0};
  Intent intent;
  Body body(value);
  body.Text("id", true, IsId, "8 to 64 of a-z, 0-9 and '-'", &intent.id);
  body.Text(
      "reason", false,
      [](const std::string& text) { return text.size() <= kMostReasonBytes && IsPrintable(text); },
      "a text of at most 256 bytes without control characters", &intent.reason);
  std::string kind;
  body.Text(
      "kind", true, [](const std::string& text) { return EmptyWish(text) != nullptr; },
      "one of switchover, failover, pause, resume, fence, unfence, ack", &kind);
  if (const Wish* empty = EmptyWish(kind); empty != nullptr) {
    intent.wish = *empty;
    std::visit(
        [&](auto& wish) {
          EachField(wish, [&](const char* key, auto& field) { body(key, field); });
        },
        intent.wish);
    std::optional<Seconds> within;
    if (ChangesPrimary(intent.wish)) body.Whole("withinSeconds", kMostWithin, &within);
    intent.within = within.value_or(intent.within);
    if (std::holds_alternative<Pause>(intent.wish) && !value.contains("reason"))
      body.Fail("reason", "given: others will want to know why nothing is done");
    body.RefuseOthers(kind);
  }
  PHA_TRY(body.Verdict());
  return intent;
}

json StoredToJson(const IntentRecord& record) {
  json out = RecordToJson(record);
  out["withinSeconds"] = record.intent.within.count();
  out["giveUpAt"] = Count(record.give_up_at);
  out["notBefore"] = Count(record.not_before);
  return out;
}

json ToJson(const IntentRecord& record, const Instant& now) {
  json out = RecordToJson(record);
  // A resync has a limit for each attempt, which its rebuild keeps.
  const bool limited = !std::holds_alternative<Resync>(record.intent.wish);
  if (record.state == IntentState::kUnderWay && limited && record.give_up_at != TimePoint{}) {
    out["giveUpAt"] =
        FormatWallTime(now.wall + std::chrono::round<Milliseconds>(record.give_up_at - now.mono));
  }
  return out;
}

json PendingToJson(const Intent& intent) {
  json out = ToJson(intent);
  out["by"] = intent.by;
  out["askedAt"] = FormatWallTime(intent.asked_at);
  out["state"] = "pending";
  out["says"] = "It waits for the next look.";
  return out;
}

static void ReadFields(Fields& fields, Intent* out) {
  fields.Need("id", &out->id);
  fields.Need("by", &out->by);
  fields.Need("reason", &out->reason);
  fields.Need("askedAt", &out->asked_at);
  fields.Need("withinSeconds", &out->within);
  std::string kind;
  fields.Need("kind", &kind);
  const Wish* empty = EmptyWish(kind);
  if (empty == nullptr) return fields.Fail("kind", "a known one");
  out->wish = *empty;
  std::visit(
      [&](auto& wish) {
        EachField(wish, [&](const char* key, auto& field) {
          using T = std::remove_reference_t<decltype(field)>;
          if constexpr (std::is_same_v<T, std::optional<NodeName>> ||
                        std::is_same_v<T, std::optional<Seconds>>) {
            fields.May(key, &field);
          } else {
            fields.Need(key, &field);
          }
        });
      },
      out->wish);
}

void ReadFields(Fields& fields, IntentRecord* out) {
  ReadFields(fields, &out->intent);
  fields.Need("state",
              {IntentState::kUnderWay, IntentState::kDone, IntentState::kRefused,
               IntentState::kTakenBack, IntentState::kSuperseded},
              &out->state);
  fields.Need("says", &out->says);
  fields.Need("at", &out->at);
  fields.Need("attempts", &out->attempts);
  fields.Need("giveUpAt", &out->give_up_at);
  fields.Need("notBefore", &out->not_before);
}

json ToJson(const Guard& guard) {
  json out = {{"by", guard.by}, {"reason", guard.reason}, {"since", FormatWallTime(guard.since)}};
  if (guard.until) out["until"] = FormatWallTime(*guard.until);
  return out;
}

}  // namespace pandora_ha
