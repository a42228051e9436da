#include "reconciler/publish/sidecar.h"

#include <openssl/evp.h>

#include <nlohmann/json.hpp>

namespace pandora_ha {
namespace {

// What a document may ask for at most; a planted file must overflow nothing.
constexpr Milliseconds kLongestLease = Seconds(3600);

}  // namespace

std::string SidecarName(const std::string& hosts_file) {
  const auto slash = hosts_file.rfind('/');
  const auto dot = hosts_file.rfind('.');
  const bool has_ending =
      dot != std::string::npos && (slash == std::string::npos || dot > slash + 1);
  return (has_ending ? hosts_file.substr(0, dot) : hosts_file) + ".json";
}

std::string PrintSidecar(const Sidecar& sidecar) {
  const nlohmann::ordered_json json = {
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
  // A name that is not UTF-8 must not throw away a publication.
  return json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<Sidecar> ParseSidecar(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    Sidecar out;
    out.cluster = json.at("cluster").get<std::string>();
    out.primary.epoch = Epoch(json.at("epoch").get<std::uint64_t>());
    out.primary.node = NodeName(json.at("node").get<std::string>());
    out.primary.address.host = json.at("address").get<std::string>();
    out.primary.address.port = json.at("port").get<std::uint16_t>();
    out.withdrawn = json.at("withdrawn").get<bool>();
    out.lease = Milliseconds(json.at("leaseMilliseconds").get<std::int64_t>());
    const auto& file = json.at("hostsFile");
    out.sha256 = file.at("sha256").get<std::string>();
    out.hosts_rights = {file.at("owner").get<uid_t>(), file.at("group").get<gid_t>(),
                        file.at("mode").get<mode_t>() & kMostHostsMode};
    const bool lease_good = out.lease >= Milliseconds(0) && out.lease <= kLongestLease;
    if (lease_good && ParseWallTime(json.at("written").get<std::string>(), &out.written_at))
      return out;
  } catch (const nlohmann::json::exception&) {
  }
  return Error{ErrorCode::kInvalid,
               where +
                   " is not what a manager wrote, so the published epoch is unknown. If no other "
                   "manager publishes there, remove it."};
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
