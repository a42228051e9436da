#include "reconciler/substrate/local/archiver.h"

#include <sys/stat.h>

#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "reconciler/base/clock.h"
#include "reconciler/substrate/local/job.h"

namespace pandora_ha {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

GtidSet GtidsFrom(Flavor flavor, const Json& text) {
  auto set = GtidSet::Parse(flavor, text.get<std::string>());
  if (!set.ok()) throw std::invalid_argument(set.error().message);
  return *std::move(set);
}

ArchiveOrder OrderFrom(const Json& json) {
  ArchiveOrder order;
  order.id = json.at("id").get<std::string>();
  order.node = NodeName(json.at("node").get<std::string>());
  order.flavor = json.at("flavor").get<std::string>() == ToString(Flavor::kMySql)
                     ? Flavor::kMySql
                     : Flavor::kMariaDb;
  order.index = json.at("index").get<std::string>();
  order.folder = json.at("folder").get<std::string>();
  order.schema = json.at("schema").get<std::string>();
  order.known = GtidsFrom(order.flavor, json.at("known"));
  order.own = GtidsFrom(order.flavor, json.at("own"));
  return order;
}

}  // namespace

InitialiseCommand ArchiveCommand(const std::string& program, const std::string& directory,
                                 const ArchiveOrder& order) {
  const Json json = {{"id", order.id},
                     {"node", order.node.text},
                     {"flavor", ToString(order.flavor)},
                     {"index", order.index},
                     {"folder", order.folder},
                     {"schema", order.schema},
                     {"known", order.known.ToString()},
                     {"own", order.own.ToString()},
                     {"directory", directory}};
  return JobCommand(program, "archive", directory, json.dump());
}

int RunArchiver() {
  umask(0077);
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  try {
    const Json json = Json::parse(text);
    JobProgress progress("archive", json.at("directory").get<std::string>());
    const ArchiveOrder order = OrderFrom(json);
    const WallTime now = SystemClock().Now().wall;
    const auto made = MakeArchive(
        order, [&](std::int64_t bytes, std::int64_t expected) { progress.Tell(bytes, expected); },
        now);
    if (made.ok()) {
      for (const std::string& name : RemoveOldArchives(order.folder, now))
        std::cerr << "deleted the archive " << name << ", which was old" << std::endl;
      return 0;
    }
    progress.Fail(made.error());
    std::cerr << made.error().message << std::endl;
  } catch (const std::exception& thrown) {
    std::cerr << "the order is not understood: " << thrown.what() << std::endl;
  }
  return 1;
}

std::string ArchivePlace(const std::string& directory, const std::string& id) {
  return directory + "/archive/" + id;
}

std::string NewestArchive(const std::string& directory) {
  const std::vector<std::string> archives = ArchivesIn(directory + "/archive");
  return archives.empty() ? "" : archives.front();
}

}  // namespace pandora_ha
