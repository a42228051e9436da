// How the readers of model/ take a stored document apart. Not for other rooms.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"
#include "reconciler/model/divergence.h"
#include "reconciler/model/guards.h"
#include "reconciler/model/ids.h"
#include "reconciler/model/intent.h"

namespace pandora_ha {

// Whole microseconds of the machine's own clock.
inline std::int64_t Count(TimePoint time) {
  return time.time_since_epoch().count();
}

// Reads the fields of one object; keeps the first problem with its path, and what follows it is
// not read. A type that is an object has a ReadFields(Fields&, T*) beside it in pandora_ha.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::string path, std::optional<Error>* error)
      : object_(object), path_(std::move(path)), error_(error) {
    if (!object.is_object()) FailAt(path_, "an object");
  }

  template <class T>
  void Need(const std::string& key, T* out) {
    if (*error_) return;
    const auto found = object_.find(key);
    if (found == object_.end()) {
      Fail(key, "present");
    } else {
      Read(*found, Path(key), out);
    }
  }
  // Absent: `out` stays as it is. For what an older version did not write.
  template <class T>
  void May(const std::string& key, T* out) {
    if (!*error_ && object_.contains(key)) Need(key, out);
  }
  template <class T>
  void May(const std::string& key, std::optional<T>* out) {
    T value{};
    May(key, &value);
    if (!*error_ && object_.contains(key)) *out = std::move(value);
  }
  // One word of a closed set.
  template <class E>
  void Need(const std::string& key, std::initializer_list<E> all, E* out) {
    std::string text;
    Need(key, &text);
    std::string allowed;
    for (const E one : all) {
      if (ToString(one) == text) {
        *out = one;
        return;
      }
      allowed += (allowed.empty() ? "" : " or ") + std::string(ToString(one));
    }
    Fail(key, allowed);
  }

  // REQUIRES: no problem so far.
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, ignored] : object_.items()) keys.push_back(key);
    return keys;
  }
  void Fail(const std::string& key, const std::string& wanted) { FailAt(Path(key), wanted); }
  bool failed() const { return error_->has_value(); }

 private:
  std::string Path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  void FailAt(const std::string& path, const std::string& wanted) {
    if (!*error_)
      *error_ = Error{ErrorCode::kInvalid, "\"" + path + "\" must be " + wanted + ".", 0};
  }

  void Read(const nlohmann::json& value, const std::string& path, bool* out) {
    value.is_boolean() ? void(*out = value.get<bool>()) : FailAt(path, "true or false");
  }
  void Read(const nlohmann::json& value, const std::string& path, std::string* out) {
    value.is_string() ? void(*out = value.get<std::string>()) : FailAt(path, "a text");
  }
  void Read(const nlohmann::json& value, const std::string& path, std::uint64_t* out) {
    value.is_number_unsigned() ? void(*out = value.get<std::uint64_t>())
                               : FailAt(path, "a whole number, 0 or more");
  }
  void Read(const nlohmann::json& value, const std::string& path, std::int64_t* out) {
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
    fits ? void(*out = value.get<std::int64_t>()) : FailAt(path, "a whole number");
  }
  void Read(const nlohmann::json& value, const std::string& path, int* out) {
    std::int64_t wide = 0;
    Read(value, path, &wide);
    if (wide < INT32_MIN || wide > INT32_MAX) return FailAt(path, "a smaller number");
    *out = static_cast<int>(wide);
  }
  void Read(const nlohmann::json& value, const std::string& path, Seconds* out) {
    std::int64_t count = 0;
    Read(value, path, &count);
    *out = Seconds(count);
  }
  void Read(const nlohmann::json& value, const std::string& path, TimePoint* out) {
    std::int64_t count = 0;
    Read(value, path, &count);
    *out = TimePoint(Microseconds(count));
  }
  void Read(const nlohmann::json& value, const std::string& path, WallTime* out) {
    std::string text;
    Read(value, path, &text);
    if (!*error_ && !ParseWallTime(text, out)) FailAt(path, "a moment as 2026-11-22T17:03:01.250Z");
  }
  void Read(const nlohmann::json& value, const std::string& path, NodeName* out) {
    Read(value, path, &out->text);
  }
  void Read(const nlohmann::json& value, const std::string& path, Epoch* out) {
    Read(value, path, &out->number);
  }
  template <class T>
  void Read(const nlohmann::json& value, const std::string& path, std::vector<T>* out) {
    if (!value.is_array()) return FailAt(path, "a list");
    for (std::size_t i = 0; i < value.size(); ++i)
      Read(value[i], path + "[" + std::to_string(i) + "]", &out->emplace_back());
  }
  template <class T>
  void Read(const nlohmann::json& value, const std::string& path, T* out) {
    Fields fields(value, path, error_);
    if (!*error_) ReadFields(fields, out);
  }

  const nlohmann::json& object_;
  std::string path_;
  std::optional<Error>* error_;
};

// Of an intent that memory keeps, with its monotonic dates.
nlohmann::json StoredToJson(const IntentRecord& record);
void ReadFields(Fields& fields, IntentRecord* out);

// Nothing that steers a terminal or turns the direction of what follows.
bool IsPrintable(std::string_view text);
inline constexpr std::size_t kMostReasonBytes = 256;

void ReadFields(Fields& fields, Divergence* out);
void ReadFields(Fields& fields, MergedRows* out);

nlohmann::json GuardsToJson(const Guards& guards);
void ReadFields(Fields& fields, Guards* out);
void ReadFields(Fields& fields, GuardsVersion* out);

}  // namespace pandora_ha
