#include "reconciler/model/gtid.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace pandora_ha {
namespace {

using Range = GtidSet::Range;
using Ranges = std::vector<Range>;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

// Ends at the greatest number: too many to count must not become few.
std::uint64_t Sum(std::uint64_t a, std::uint64_t b) {
  return b > kMax - a ? kMax : a + b;
}

Ranges Normalised(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  Ranges out;
  for (const Range& range : ranges) {
    if (!out.empty() && (out.back().last == kMax || range.first <= out.back().last + 1)) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

Ranges Subtracted(const Ranges& from, const Ranges& what) {
  Ranges out;
  for (Range rest : from) {
    bool left = true;
    for (const Range& hole : what) {
      if (hole.last < rest.first) continue;
      if (hole.first > rest.last) break;
      if (hole.first > rest.first) out.push_back({rest.first, hole.first - 1});
      if (hole.last >= rest.last) {
        left = false;
        break;
      }
      rest.first = hole.last + 1;
    }
    if (left) out.push_back(rest);
  }
  return out;
}

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(Trimmed(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool ParseNumber(std::string_view text, std::uint64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

// MySQL: a letter or underscore, then up to 31 letters, digits, underscores.
bool IsTag(std::string_view text) {
  if (text.empty() || text.size() > 32) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return true;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

Error Malformed(Flavor flavor, std::string_view part) {
  return {ErrorCode::kInvalid,
          "\"" + std::string(part) + "\" is not a " + std::string(ToString(flavor)) + " GTID set"};
}

Status ParseMySqlPart(std::string_view part, std::map<std::string, Ranges>* sources) {
  const auto pieces = Split(part, ':');
  if (pieces.size() < 2 || !IsUuid(pieces[0])) return Malformed(Flavor::kMySql, part);
  std::string source = Lower(pieces[0]);
  bool ranges_seen = true;
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    if (IsTag(pieces[i])) {
      if (!ranges_seen) return Malformed(Flavor::kMySql, part);
      source = Lower(pieces[0]) + ":" + Lower(pieces[i]);
      ranges_seen = false;
      continue;
    }
    const auto dash = pieces[i].find('-');
    Range range{};
    if (!ParseNumber(pieces[i].substr(0, dash), &range.first))
      return Malformed(Flavor::kMySql, part);
    range.last = range.first;
    if (dash != std::string_view::npos && !ParseNumber(pieces[i].substr(dash + 1), &range.last)) {
      return Malformed(Flavor::kMySql, part);
    }
    if (range.first == 0 || range.last < range.first) return Malformed(Flavor::kMySql, part);
    (*sources)[source].push_back(range);
    ranges_seen = true;
  }
  if (!ranges_seen) return Malformed(Flavor::kMySql, part);
  return Ok();
}

Status ParseMariaDbPart(std::string_view part, std::map<std::string, Ranges>* sources) {
  const auto pieces = Split(part, '-');
  std::uint64_t domain = 0;
  std::uint64_t server = 0;
  std::uint64_t number = 0;
  if (pieces.size() != 3 || !ParseNumber(pieces[0], &domain) || !ParseNumber(pieces[1], &server) ||
      !ParseNumber(pieces[2], &number) || domain > 0xffffffffu || server > 0xffffffffu) {
    return Malformed(Flavor::kMariaDb, part);
  }
  if (number == 0) return Ok();  // "0-1-0": nothing yet
  (*sources)[std::to_string(domain) + "-" + std::to_string(server)].push_back({1, number});
  return Ok();
}

std::string DomainOf(const std::string& source) {
  return source.substr(0, source.find('-'));
}

}  // namespace

Result<GtidSet> GtidSet::Parse(Flavor flavor, std::string_view text) {
  GtidSet set;
  if (Trimmed(text).empty()) return set;
  for (const std::string_view part : Split(text, ',')) {
    if (part.empty()) return Malformed(flavor, Trimmed(text));
    PHA_TRY(flavor == Flavor::kMySql ? ParseMySqlPart(part, &set.sources_)
                                     : ParseMariaDbPart(part, &set.sources_));
  }
  for (auto& [source, ranges] : set.sources_) ranges = Normalised(std::move(ranges));
  if (!set.sources_.empty()) set.flavor_ = flavor;
  return set;
}

bool GtidSet::Contains(const GtidSet& other) const {
  if (other.empty()) return true;
  if (flavor_ != other.flavor_) return false;
  return other.Subtract(*this).empty();
}

GtidSet GtidSet::Union(const GtidSet& other) const {
  if (empty()) return other;
  GtidSet out = *this;
  if (flavor_ != other.flavor_) return out;
  for (const auto& [source, ranges] : other.sources_) {
    Ranges& mine = out.sources_[source];
    mine.insert(mine.end(), ranges.begin(), ranges.end());
    mine = Normalised(std::move(mine));
  }
  return out;
}

GtidSet GtidSet::Subtract(const GtidSet& other) const {
  if (flavor_ != other.flavor_) return *this;
  GtidSet out;
  for (const auto& [source, ranges] : sources_) {
    const auto found = other.sources_.find(source);
    Ranges rest = found == other.sources_.end() ? ranges : Subtracted(ranges, found->second);
    if (!rest.empty()) out.sources_[source] = std::move(rest);
  }
  if (!out.sources_.empty()) out.flavor_ = flavor_;
  return out;
}

GtidSet GtidSet::WrittenBy(std::string_view server) const {
  GtidSet out;
  for (const auto& [source, ranges] : sources_) {
    const std::string_view writer = flavor_ == Flavor::kMySql
                                        ? std::string_view(source).substr(0, 36)
                                        : std::string_view(source).substr(source.find('-') + 1);
    if (writer == server) out.sources_[source] = ranges;
  }
  if (!out.sources_.empty()) out.flavor_ = flavor_;
  return out;
}

std::uint64_t GtidSet::CountMissingIn(const GtidSet& other) const {
  const GtidSet missing = Subtract(other);
  std::uint64_t count = 0;
  if (flavor_ == Flavor::kMySql) {
    for (const auto& [source, ranges] : missing.sources_) {
      for (const Range& range : ranges) count = Sum(count, range.last - range.first + 1);
    }
    return count;
  }
  std::map<std::string, std::uint64_t> last;  // by domain, of this set
  std::map<std::string, std::uint64_t> fork;  // by domain, the last number both sets know
  for (const auto& [source, ranges] : sources_) {
    const std::string domain = DomainOf(source);
    last[domain] = std::max(last[domain], ranges.back().last);
    const auto theirs = other.sources_.find(source);
    if (other.flavor_ == flavor_ && theirs != other.sources_.end()) {
      fork[domain] =
          std::max(fork[domain], std::min(ranges.back().last, theirs->second.back().last));
    }
  }
  if (missing.empty()) return 0;
  for (const auto& [domain, number] : last) count = Sum(count, number - fork[domain]);
  // One server's numbers may hide what another wrote before them.
  return std::max<std::uint64_t>(count, 1);
}

std::string GtidSet::ToString() const {
  std::string out;
  std::string uuid_before;
  for (const auto& [source, ranges] : sources_) {
    if (flavor_ == Flavor::kMariaDb) {
      if (!out.empty()) out += ',';
      out += source + "-" + std::to_string(ranges.back().last);
      continue;
    }
    // Tags of one uuid print behind it, as the server prints them.
    const std::string uuid = source.substr(0, 36);
    if (uuid == uuid_before) {
      out += source.substr(36);
    } else {
      if (!out.empty()) out += ',';
      out += source;
    }
    uuid_before = uuid;
    for (const Range& range : ranges) {
      out += ':' + std::to_string(range.first);
      if (range.last != range.first) out += '-' + std::to_string(range.last);
    }
  }
  return out;
}

}  // namespace pandora_ha
