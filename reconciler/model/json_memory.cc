// Memory and events, both ways.
#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"

namespace pandora_ha {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

std::string_view ToString(History history) {
  switch (history) {
    case History::kUnjudged:
      return "unjudged";
    case History::kContained:
      return "contained";
    case History::kDiverged:
      return "diverged";
  }
  return "";
}

std::int64_t Count(TimePoint time) {
  return time.time_since_epoch().count();
}

// {"0-1": "1-17"}: source → ranges. ToString() of a set is shorter but tells only the last number
// of a MariaDB source, and a difference of two sets does not begin at 1.
json GtidsToJson(const GtidSet& set) {
  json out = json::object();
  for (const auto& [source, ranges] : set.sources()) {
    std::string text;
    for (const GtidSet::Range& range : ranges) {
      text += (text.empty() ? "" : ":") + std::to_string(range.first) + "-" +
              std::to_string(range.last);
    }
    out[source] = text;
  }
  return out;
}

json NodeToJson(const NodeMemory& node) {
  json out = {{"failedLooks", node.failed_looks},
              {"attemptsCounted", node.attempts_counted},
              {"arrivalToken", node.arrival_token},
              {"arrivalChanged", Count(node.arrival_changed)},
              {"received", GtidsToJson(node.received)},
              {"runId", node.run_id},
              {"lossless", node.lossless},
              {"history", ToString(node.history)},
              {"executed", GtidsToJson(node.executed)},
              {"executedAt", Count(node.executed_at)},
              {"errant", GtidsToJson(node.errant)},
              {"deposed", node.deposed},
              {"discard", node.discard},
              {"starts", node.starts}};
  if (node.unanswered_since) out["unansweredSince"] = Count(*node.unanswered_since);
  if (node.unwitnessed_since) out["unwitnessedSince"] = Count(*node.unwitnessed_since);
  if (node.not_acknowledging_since)
    out["notAcknowledgingSince"] = Count(*node.not_acknowledging_since);
  if (node.start_not_before) out["startNotBefore"] = Count(*node.start_not_before);
  return out;
}

json LossToJson(const Loss& loss) {
  json out = {{"from", loss.from.text},
              {"epoch", loss.epoch.number},
              {"count", loss.count},
              {"exact", loss.exact},
              {"at", FormatWallTime(loss.at)}};
  if (loss.holder) out["holder"] = loss.holder->text;
  return out;
}

json PromotionToJson(const Promotion& promotion) {
  json out = {{"epoch", promotion.epoch.number},
              {"because", promotion.because},
              {"beganAt", FormatWallTime(promotion.began_at)},
              {"began", Count(promotion.began)},
              {"lossless", promotion.lossless},
              {"fenceWaived", promotion.fence_waived}};
  if (promotion.from) out["from"] = promotion.from->text;
  if (promotion.to) out["to"] = promotion.to->text;
  return out;
}

// Reads the fields of one object; keeps the first problem with its path, and what follows it is
// not read.
class Fields {
 public:
  Fields(const json& object, std::string path, std::optional<Error>* error)
      : object_(object), path_(std::move(path)), error_(error) {
    if (!object.is_object()) Fail(path_, "an object");
  }

  template <class T>
  void Need(const char* key, T* out) {
    if (*error_) return;
    const auto found = object_.find(key);
    if (found == object_.end()) {
      Fail(Path(key), "present");
    } else {
      Read(*found, Path(key), out);
    }
  }

  template <class T>
  void May(const char* key, std::optional<T>* out) {
    if (*error_ || !object_.contains(key)) return;
    T value{};
    Need(key, &value);
    if (!*error_) *out = std::move(value);
  }

 private:
  std::string Path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  void Fail(const std::string& path, const std::string& wanted) {
    if (!*error_)
      *error_ = Error{ErrorCode::kInvalid, "\"" + path + "\" must be " + wanted + ".", 0};
  }

  void Read(const json& value, const std::string& path, bool* out) {
    value.is_boolean() ? void(*out = value.get<bool>()) : Fail(path, "true or false");
  }
  void Read(const json& value, const std::string& path, std::string* out) {
    value.is_string() ? void(*out = value.get<std::string>()) : Fail(path, "a text");
  }
  void Read(const json& value, const std::string& path, std::uint64_t* out) {
    value.is_number_unsigned() ? void(*out = value.get<std::uint64_t>())
                               : Fail(path, "a whole number, 0 or more");
  }
  void Read(const json& value, const std::string& path, std::int64_t* out) {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
    fits ? void(*out = value.get<std::int64_t>()) : Fail(path, "a whole number");
  }
  void Read(const json& value, const std::string& path, int* out) {
    std::int64_t wide = 0;
    Read(value, path, &wide);
    if (wide < INT32_MIN || wide > INT32_MAX) return Fail(path, "a smaller number");
    *out = static_cast<int>(wide);
  }
  void Read(const json& value, const std::string& path, TimePoint* out) {
    std::int64_t count = 0;
    Read(value, path, &count);
    *out = TimePoint(Microseconds(count));
  }
  void Read(const json& value, const std::string& path, WallTime* out) {
    std::string text;
    Read(value, path, &text);
    if (!*error_ && !ParseWallTime(text, out)) Fail(path, "a moment as 2026-11-22T17:03:01.250Z");
  }
  void Read(const json& value, const std::string& path, NodeName* out) {
    Read(value, path, &out->text);
  }
  void Read(const json& value, const std::string& path, Epoch* out) {
    Read(value, path, &out->number);
  }
  void Read(const json& value, const std::string& path, History* out) {
    ReadWord(value, path, {History::kUnjudged, History::kContained, History::kDiverged}, out);
  }
  void Read(const json& value, const std::string& path, DurabilityMode* out) {
    ReadWord(value, path, {DurabilityMode::kAsync, DurabilityMode::kSemiSync}, out);
  }
  void Read(const json& value, const std::string& path, Severity* out) {
    ReadWord(value, path, {Severity::kInfo, Severity::kWarning, Severity::kCritical}, out);
  }

  template <class E>
  void ReadWord(const json& value, const std::string& path, std::initializer_list<E> all, E* out) {
    std::string text;
    Read(value, path, &text);
    std::string allowed;
    for (const E one : all) {
      if (ToString(one) == text) {
        *out = one;
        return;
      }
      allowed += (allowed.empty() ? "" : " or ") + std::string(ToString(one));
    }
    Fail(path, allowed);
  }

  void Read(const json& value, const std::string& path, GtidSet* out) {
    if (!value.is_object()) return Fail(path, "an object of GTID sources");
    for (const auto& [source, ranges] : value.items()) {
      std::string text;
      Read(ranges, path + "." + source, &text);
      if (*error_) return;
      if (!AddSource(source, text, out)) return Fail(path + "." + source, "ranges as 1-5:7-9");
    }
  }

  static bool AddSource(const std::string& source, const std::string& ranges, GtidSet* out) {
    if (source.size() >= 36) {  // a uuid, with or without a tag: the server's own notation
      const auto set = GtidSet::Parse(Flavor::kMySql, source + ":" + ranges);
      if (set.ok()) *out = out->Union(*set);
      return set.ok();
    }
    std::size_t at = 0;
    while (at <= ranges.size()) {
      const std::size_t end = std::min(ranges.find(':', at), ranges.size());
      unsigned long long first = 0;
      unsigned long long last = 0;
      int used = 0;
      const std::string range = ranges.substr(at, end - at);
      if (std::sscanf(range.c_str(), "%llu-%llu%n", &first, &last, &used) != 2 ||
          static_cast<std::size_t>(used) != range.size() || first == 0 || last < first) {
        return false;
      }
      const auto all = GtidSet::Parse(Flavor::kMariaDb, source + "-" + std::to_string(last));
      const auto before =
          GtidSet::Parse(Flavor::kMariaDb, source + "-" + std::to_string(first - 1));
      if (!all.ok() || !before.ok()) return false;
      *out = out->Union(all->Subtract(*before));
      at = end + 1;
    }
    return true;
  }

  void Read(const json& value, const std::string& path, Promotion* out) {
    Fields fields(value, path, error_);
    fields.Need("epoch", &out->epoch);
    fields.Need("because", &out->because);
    fields.Need("beganAt", &out->began_at);
    fields.Need("began", &out->began);
    fields.Need("lossless", &out->lossless);
    fields.Need("fenceWaived", &out->fence_waived);
    fields.May("from", &out->from);
    fields.May("to", &out->to);
  }
  void Read(const json& value, const std::string& path, Loss* out) {
    Fields fields(value, path, error_);
    fields.Need("from", &out->from);
    fields.Need("epoch", &out->epoch);
    fields.Need("count", &out->count);
    fields.Need("exact", &out->exact);
    fields.May("holder", &out->holder);
    fields.Need("at", &out->at);
  }
  void Read(const json& value, const std::string& path, NodeMemory* out) {
    Fields fields(value, path, error_);
    fields.Need("failedLooks", &out->failed_looks);
    fields.Need("attemptsCounted", &out->attempts_counted);
    fields.Need("arrivalToken", &out->arrival_token);
    fields.Need("arrivalChanged", &out->arrival_changed);
    fields.Need("received", &out->received);
    fields.Need("runId", &out->run_id);
    fields.Need("lossless", &out->lossless);
    fields.Need("history", &out->history);
    fields.Need("executed", &out->executed);
    fields.Need("executedAt", &out->executed_at);
    fields.Need("errant", &out->errant);
    fields.Need("deposed", &out->deposed);
    fields.Need("discard", &out->discard);
    fields.Need("starts", &out->starts);
    fields.May("unansweredSince", &out->unanswered_since);
    fields.May("unwitnessedSince", &out->unwitnessed_since);
    fields.May("notAcknowledgingSince", &out->not_acknowledging_since);
    fields.May("startNotBefore", &out->start_not_before);
  }
  void Read(const json& value, const std::string& path, std::map<NodeName, NodeMemory>* out) {
    if (!value.is_object()) return Fail(path, "an object of nodes");
    for (const auto& [name, node] : value.items()) {
      Read(node, path + "." + name, &(*out)[NodeName(name)]);
    }
  }

  const json& object_;
  std::string path_;
  std::optional<Error>* error_;
};

}  // namespace

json ToJson(const Memory& memory) {
  json nodes = json::object();
  for (const auto& [name, node] : memory.nodes) nodes[name.text] = NodeToJson(node);
  json out = {{"format", kFormat},
              {"bootId", memory.boot_id},
              {"cluster", memory.cluster},
              {"epoch", memory.epoch.number},
              {"durabilityInForce", pandora_ha::ToString(memory.durability_in_force)},
              {"nodes", std::move(nodes)},
              {"primaryExecuted", GtidsToJson(memory.primary_executed)},
              {"primaryLost", GtidsToJson(memory.primary_lost)},
              {"primaryWaited", memory.primary_waited}};
  if (memory.primary) out["primary"] = memory.primary->text;
  if (memory.clients_cut_from) out["clientsCutFrom"] = memory.clients_cut_from->text;
  if (memory.loss) out["loss"] = LossToJson(*memory.loss);
  if (memory.promotion) out["promotion"] = PromotionToJson(*memory.promotion);
  return out;
}

Result<Memory> MemoryFromJson(const json& value) {
  std::optional<Error> error;
  Memory memory;
  int format = 0;
  Fields fields(value, "", &error);
  fields.Need("format", &format);
  if (!error && format != kFormat) {
    return Error{ErrorCode::kUnsupported,
                 "The memory has format " + std::to_string(format) +
                     "; this version reads format " + std::to_string(kFormat) + ".",
                 0};
  }
  fields.Need("bootId", &memory.boot_id);
  fields.Need("cluster", &memory.cluster);
  fields.Need("epoch", &memory.epoch);
  fields.Need("durabilityInForce", &memory.durability_in_force);
  fields.Need("nodes", &memory.nodes);
  fields.Need("primaryExecuted", &memory.primary_executed);
  fields.Need("primaryLost", &memory.primary_lost);
  fields.Need("primaryWaited", &memory.primary_waited);
  fields.May("primary", &memory.primary);
  fields.May("loss", &memory.loss);
  fields.May("clientsCutFrom", &memory.clients_cut_from);
  fields.May("promotion", &memory.promotion);
  if (error) return *error;
  return memory;
}

json ToJson(const Event& event) {
  json out = {{"id", event.id},
              {"at", FormatWallTime(event.at)},
              {"severity", pandora_ha::ToString(event.severity)},
              {"reason", event.reason},
              {"epoch", event.epoch.number},
              {"message", event.message}};
  if (event.about) out["about"] = event.about->text;
  return out;
}

Result<Event> EventFromJson(const json& value) {
  std::optional<Error> error;
  Event event;
  Fields fields(value, "", &error);
  fields.Need("id", &event.id);
  fields.Need("at", &event.at);
  fields.Need("severity", &event.severity);
  fields.Need("reason", &event.reason);
  fields.Need("epoch", &event.epoch);
  fields.Need("message", &event.message);
  fields.May("about", &event.about);
  if (error) return *error;
  return event;
}

}  // namespace pandora_ha
