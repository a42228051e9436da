// The right to act, by a lock on the state directory: one manager on one machine.
#pragma once

#include <memory>
#include <string>

#include "reconciler/base/descriptor.h"
#include "reconciler/port/lease.h"

namespace pandora_ha {

// Held from Take() until the process ends. It keeps a second manager of the same state directory
// out; it says nothing about managers on other machines.
class FileLease final : public Lease {
 public:
  // kConflict when another process holds it; the message names it.
  static Result<std::unique_ptr<FileLease>> Take(const std::string& directory);

  bool Held() override { return true; }
  std::string Holder() override { return holder_; }

 private:
  FileLease(Descriptor lock, std::string holder)
      : lock_(std::move(lock)), holder_(std::move(holder)) {}
  const Descriptor lock_;
  const std::string holder_;
};

}  // namespace pandora_ha
