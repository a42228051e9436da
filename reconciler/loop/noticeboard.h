// The last snapshot of every cluster of this process.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/model/status.h"

namespace pandora_ha {

// Thread-safe. Readers get an immutable snapshot and never make a loop wait; a slow reader holds
// nothing but its own copy of a pointer.
class Noticeboard {
 public:
  using Pinned = std::shared_ptr<const Snapshot>;

  // Replaces the cluster's snapshot.
  void Pin(Pinned snapshot) {
    const std::lock_guard lock(mutex_);
    clusters_[snapshot->spec.name] = std::move(snapshot);
  }

  // The cluster is not looked after here any more.
  void Take(const std::string& cluster) {
    const std::lock_guard lock(mutex_);
    clusters_.erase(cluster);
  }

  // Null when the cluster is not known here.
  Pinned Last(const std::string& cluster) const {
    const std::lock_guard lock(mutex_);
    const auto found = clusters_.find(cluster);
    return found == clusters_.end() ? nullptr : found->second;
  }

  // By name.
  std::vector<Pinned> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<Pinned> all;
    for (const auto& [name, snapshot] : clusters_) all.push_back(snapshot);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Pinned> clusters_;
};

}  // namespace pandora_ha
