// GTID sets of both families: any text, and the algebra beside a set of single transactions.
#include <set>

#include "reconciler/model/gtid.h"
#include "tests/fuzz/fuzz.h"

namespace pandora_ha {
namespace {

using fuzz::Bytes;
using fuzz::Law;

// What a set means, one by one: source, number.
using Naive = std::set<std::pair<std::string, std::uint64_t>>;

constexpr unsigned kSources = 4;
constexpr unsigned kNumbers = 24;

std::string SourceName(Flavor flavor, unsigned source) {
  if (flavor == Flavor::kMariaDb)
    return std::to_string(source / 2) + "-" + std::to_string(1 + source % 2);
  const std::string uuid = "3e11fa47-71ca-11e1-9e33-c80aa942956" + std::to_string(source / 2);
  return source % 2 == 0 ? uuid : uuid + ":tag";
}

// A text of a few ranges in any order, and what it means.
std::string Draw(Flavor flavor, Bytes* bytes, Naive* means) {
  std::string text;
  for (unsigned parts = bytes->Below(6); parts > 0; --parts) {
    const std::string source = SourceName(flavor, bytes->Below(kSources));
    unsigned first = 1;
    const unsigned last = 1 + bytes->Below(kNumbers);
    if (!text.empty()) text += bytes->Below(2) == 0 ? "," : ",\n";
    if (flavor == Flavor::kMariaDb) {
      text += source + "-" + std::to_string(last);
    } else {
      first = 1 + bytes->Below(last);
      text += source + ":" + std::to_string(first) + "-" + std::to_string(last);
    }
    for (unsigned number = first; number <= last; ++number) means->emplace(source, number);
  }
  return text;
}

Naive MeaningOf(const GtidSet& set) {
  Naive out;
  for (const auto& [source, ranges] : set.sources()) {
    for (const GtidSet::Range& range : ranges) {
      for (std::uint64_t number = range.first; number <= range.last; ++number)
        out.emplace(source, number);
    }
  }
  return out;
}

Naive Minus(const Naive& from, const Naive& what) {
  Naive out;
  for (const auto& one : from) {
    if (what.count(one) == 0) out.insert(one);
  }
  return out;
}

void CheckAlgebra(Flavor flavor, Bytes* bytes) {
  Naive a_means, b_means;
  const GtidSet a = *GtidSet::Parse(flavor, Draw(flavor, bytes, &a_means));
  const GtidSet b = *GtidSet::Parse(flavor, Draw(flavor, bytes, &b_means));
  Law(MeaningOf(a) == a_means, "Parse reads what was written");
  Naive both = a_means;
  both.insert(b_means.begin(), b_means.end());
  Law(MeaningOf(a.Union(b)) == both, "Union");
  const Naive missing = Minus(a_means, b_means);
  Law(MeaningOf(a.Subtract(b)) == missing, "Subtract");
  Law(b.Contains(a) == missing.empty(), "Contains");
  if (flavor == Flavor::kMySql)
    Law(a.CountMissingIn(b) == missing.size(), "CountMissingIn is exact", a.ToString());
}

// What holds for every set, however large its numbers are.
void CheckLaws(Flavor flavor, const GtidSet& a, const GtidSet& b) {
  for (const GtidSet* set : {&a, &b}) {
    const auto again = GtidSet::Parse(flavor, set->ToString());
    Law(again.ok() && *again == *set, "what is printed is read back", set->ToString());
    for (const auto& [source, ranges] : set->sources()) {
      Law(!ranges.empty(), "no source without numbers", source);
      for (std::size_t i = 0; i < ranges.size(); ++i) {
        Law(ranges[i].first >= 1 && ranges[i].first <= ranges[i].last, "ranges are closed");
        Law(i == 0 || ranges[i - 1].last + 1 < ranges[i].first, "ranges are apart");
      }
    }
  }
  const GtidSet either = a.Union(b);
  Law(either.Contains(a) && either.Contains(b), "a union holds both");
  Law(either == b.Union(a), "a union has no order");
  const GtidSet rest = a.Subtract(b);
  Law(a.Contains(rest), "a difference is a part");
  Law(rest.Subtract(b) == rest, "a difference shares nothing");
  Law(b.Union(rest) == either, "a difference is all that was missing");
  Law(b.Contains(a) == rest.empty(), "contained is: nothing is missing");
  Law((a.CountMissingIn(b) == 0) == rest.empty(), "what is missing is never counted as 0",
      a.ToString() + " in " + b.ToString());
}

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  Bytes bytes(data, size);
  const unsigned kind = bytes.Byte();
  const Flavor flavor = kind % 2 == 0 ? Flavor::kMySql : Flavor::kMariaDb;
  if (kind % 4 < 2) {
    CheckAlgebra(flavor, &bytes);
    return 0;
  }
  const auto a = GtidSet::Parse(flavor, bytes.Until('|'));
  const auto b = GtidSet::Parse(flavor, bytes.Rest());
  if (a.ok() && b.ok()) CheckLaws(flavor, *a, *b);
  return 0;
}
