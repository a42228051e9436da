#include "reconciler/publish/sidecar.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace pandora_ha {
std::string SidecarName(const std::string& hosts_file) {
  const auto slash = hosts_file.rfind('/');
  const auto dot = hosts_file.rfind('.');
  const bool has_ending =
      dot != std::string::npos && (slash == std::string::npos || dot > slash + 1);
  return (has_ending ? hosts_file.substr(0, dot) : hosts_file) + ".json";
}

std::string PrintSidecar(const Sidecar& sidecar) {
  nlohmann::ordered_json json = {
      {"cluster", sidecar.cluster},
      {"epoch", sidecar.primary.epoch.number},
      {"node", sidecar.primary.node.text},
      {"address", sidecar.primary.address.host},
      {"port", sidecar.primary.address.port},
      {"withdrawn", sidecar.withdrawn},
      {"written", FormatWallTime(sidecar.written_at)},
      {"leaseMilliseconds", sidecar.lease.count()},
      {"hostsFile",
       {{"sha256", sidecar.sha256},
        {"owner", sidecar.hosts_rights.owner},
        {"group", sidecar.hosts_rights.group},
        {"mode", sidecar.hosts_rights.mode}}},
  };
  if (sidecar.drain) {
    json["drain"] = {{"graceMilliseconds", sidecar.drain->grace.count()},
                     {"until", FormatWallTime(sidecar.drain->until)}};
  }
  // A name that is not UTF-8 must not throw away a publication.
  return json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

namespace {

// What a document may ask for at most; a planted file must overflow nothing.
constexpr Milliseconds kLongestLease = Seconds(3600);

// json's own conversions wrap what is negative or too large and cut fractions.
template <class T>
bool ReadWhole(const nlohmann::json& value, T most, T* out) {
  if (!value.is_number_unsigned()) return false;
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(most)) return false;
  *out = static_cast<T>(number);
  return true;
}

bool ReadNumbers(const nlohmann::json& json, Sidecar* out) {
  const auto& file = json.at("hostsFile");
  FileRights& rights = out->hosts_rights;
  // The greatest owner and group mean "unchanged" to chown.
  constexpr auto kMostId = std::numeric_limits<uid_t>::max() - 1;
  std::int64_t lease = 0;
  const bool whole = ReadWhole(json.at("epoch"), std::numeric_limits<std::uint64_t>::max(),
                               &out->primary.epoch.number) &&
                     ReadWhole(json.at("port"), std::numeric_limits<std::uint16_t>::max(),
                               &out->primary.address.port) &&
                     ReadWhole(json.at("leaseMilliseconds"), kLongestLease.count(), &lease) &&
                     ReadWhole(file.at("owner"), kMostId, &rights.owner) &&
                     ReadWhole(file.at("group"), kMostId, &rights.group) &&
                     ReadWhole(file.at("mode"), static_cast<mode_t>(07777), &rights.mode);
  rights.mode &= kMostHostsMode;
  out->lease = Milliseconds(lease);
  return whole;
}

bool ReadDrain(const nlohmann::json& json, Sidecar* out) {
  const auto found = json.find("drain");
  if (found == json.end()) return true;
  Sidecar::Drain drain{};
  std::int64_t grace = 0;
  const bool whole = ReadWhole(found->at("graceMilliseconds"), kLongestLease.count(), &grace) &&
                     ParseWallTime(found->at("until").get<std::string>(), &drain.until);
  drain.grace = Milliseconds(grace);
  out->drain = drain;
  return whole;
}

}  // namespace

Result<Sidecar> ParseSidecar(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    Sidecar out;
    out.cluster = json.at("cluster").get<std::string>();
    out.primary.node = NodeName(json.at("node").get<std::string>());
    out.primary.address.host = json.at("address").get<std::string>();
    out.withdrawn = json.at("withdrawn").get<bool>();
    out.sha256 = json.at("hostsFile").at("sha256").get<std::string>();
    if (ReadNumbers(json, &out) && ReadDrain(json, &out) &&
        ParseWallTime(json.at("written").get<std::string>(), &out.written_at))
      return out;
  } catch (const nlohmann::json::exception&) {
  }
  return Error{ErrorCode::kInvalid,
               where +
                   " is not what a manager wrote, so the published epoch is unknown. If no other "
                   "manager publishes there, remove it."};
}

Result<TimePoint> KnownAt(const Sidecar& sidecar, const Instant& now, const std::string& where) {
  const Duration age = std::max(Duration::zero(), Duration(now.wall - sidecar.written_at));
  if (age < sidecar.lease) return now.mono - age;
  return Error{ErrorCode::kRefused, where + " is " + FormatDuration(age) + " old, its lease was " +
                                        FormatDuration(sidecar.lease) + ": no manager renews it."};
}

std::string Sha256(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

}  // namespace pandora_ha
