// Metrics of the last snapshots, as Prometheus text.
//
// Nothing is kept between two scrapes: a node that is gone leaves no series behind, and a scrape
// makes no loop wait. Unknown is an absent series.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "reconciler/loop/noticeboard.h"

namespace pandora_ha {

struct EndpointNumbers {
  std::uint64_t sessions = 0;        // now
  std::uint64_t waiting = 0;         // now
  std::uint64_t sessions_total = 0;  // since the process began
  std::uint64_t cut = 0;             // since the process began
  std::uint64_t drained = 0;         // since the process began
};

struct ExporterSources {
  const Noticeboard& noticeboard;
  std::string version;
  // By cluster; empty: no endpoint in this process.
  std::function<std::map<std::string, EndpointNumbers>()> endpoints = {};
  // How many documents are refused as they lie there; empty: none is watched.
  std::function<std::size_t()> refused_documents = {};
};

// Prometheus text format 0.0.4. Thread-safe; `sources` is only read.
std::string MetricsText(const ExporterSources& sources);

}  // namespace pandora_ha
