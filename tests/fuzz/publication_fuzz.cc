// The hosts file and its sidecar as somebody may have left them: what is read, what is written over
// it, and what a follower makes of it.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "reconciler/publish/hosts_file.h"
#include "tests/fuzz/fuzz.h"

namespace pandora_ha {
namespace {

using fuzz::Bytes;
using fuzz::Law;

class HandClock final : public Clock {
 public:
  Instant Now() const override { return now; }
  std::string BootId() const override { return "boot"; }
  Instant now{TimePoint(Seconds(1'000'000)), WallTime(Seconds(1795366981))};
};

// One directory for all inputs, in memory where there is such a place.
const std::string& Directory() {
  static const std::string path = [] {
    std::string pattern = "/dev/shm/pandora-ha-fuzz-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) return pattern;
    pattern = "/tmp/pandora-ha-fuzz-XXXXXX";
    Law(mkdtemp(pattern.data()) != nullptr, "a directory can be made");
    return pattern;
  }();
  static const bool leaves =
      std::atexit([] {
        for (const char* name : {"hosts.conf", "hosts.json", ".hosts.conf.lock"})
          unlink((Directory() + "/" + name).c_str());
        rmdir(Directory().c_str());
      }) == 0;
  (void)leaves;
  return path;
}

void Write(const std::string& path, const std::string& text) {
  unlink(path.c_str());
  if (!text.empty()) std::ofstream(path, std::ios::binary) << text;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void CheckSidecar(const std::string& text, const Instant& now) {
  const auto sidecar = ParseSidecar(text, "here");
  if (!sidecar.ok()) return;
  const auto again = ParseSidecar(PrintSidecar(*sidecar), "here");
  Law(again.ok() && *again == *sidecar, "what is printed is read back", PrintSidecar(*sidecar));
  if (sidecar->lease.count() == 0) return;
  const auto known_at = KnownAt(*sidecar, now, "here");
  if (!known_at.ok()) return;
  Law(*known_at <= now.mono, "nothing is known from the future");
  Law(now.mono - *known_at < sidecar->lease, "nothing is believed beyond its lease");
}

void CheckPublish(HostsFile& file, const PublishedPrimary& primary, const std::string& path) {
  const PublicationSeen before = file.Current();
  const Status published = file.Publish(primary);
  if (!published.ok()) {
    Law(!published.error().message.empty(), "a refusal has a sentence");
    return;
  }
  Law(before.epoch <= primary.epoch, "an epoch never goes back");
  const PublicationSeen after = file.Current();
  Law(after.problem.empty(), "what was just published is in order", after.problem);
  Law(after.primary == primary.node && after.epoch == primary.epoch, "it is what was published");
  Law(ReadAll(path) == primary.address.host, "the file holds the host and nothing else");
  struct stat facts {};
  Law(stat(path.c_str(), &facts) == 0 && (facts.st_mode & 07002) == 0,
      "the file is not everybody's", std::to_string(facts.st_mode));
}

}  // namespace
}  // namespace pandora_ha

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora_ha;
  Bytes bytes(data, size);
  HandClock clock;
  HostsFileOptions options;
  options.path = Directory() + "/hosts.conf";
  options.cluster = "pandora";
  options.lease = Milliseconds(bytes.Below(2) == 0 ? 0 : 15000);
  const unsigned then = bytes.Byte();
  const PublishedPrimary primary{NodeName(then % 2 == 0 ? "node1" : "node2"),
                                 {then % 4 < 2 ? "10.0.0.1" : bytes.Until('\n'), 3306},
                                 Epoch(bytes.Byte())};
  Write(options.path, bytes.Until('\n'));
  const std::string sidecar = bytes.Rest();
  Write(Directory() + "/hosts.json", sidecar);
  CheckSidecar(sidecar, clock.now);

  HostsFile file(options, clock);
  (void)file.Renew(primary.epoch, clock.now.mono);
  if (then % 8 < 4) (void)file.Withdraw();
  clock.now.mono += Seconds(1);
  CheckPublish(file, primary, options.path);
  return 0;
}
