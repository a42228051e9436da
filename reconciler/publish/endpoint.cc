#include "reconciler/publish/endpoint.h"

#include <exception>

#include "reconciler/base/log.h"
#include "reconciler/publish/endpoint_core.h"
#include "reconciler/publish/sockets.h"

namespace pandora_ha {
namespace {

constexpr std::size_t kOtherDescriptors = 256;  // of the rest of the process

}  // namespace

Result<std::unique_ptr<Endpoint>> Endpoint::Start(const EndpointOptions& options,
                                                  const Clock& clock) {
  const std::size_t files = 2 * options.max_sessions + kOtherDescriptors;
  if (const std::size_t allowed = AllowOpenFiles(files); allowed < files) {
    Log(LogLevel::kWarning, "The limit of open files is too low for the endpoint's max_sessions.",
        {{"limit", std::to_string(allowed)}, {"needed", std::to_string(files)}});
  }
  PHA_ASSIGN_OR_RETURN(Descriptor listener, ListenOn(options.listen));
  try {
    return std::unique_ptr<Endpoint>(
        new Endpoint(std::make_unique<Core>(options, clock, std::move(listener))));
  } catch (const std::exception& thrown) {
    return Error{ErrorCode::kIo, "The writer endpoint " + ToString(options.listen) +
                                     " cannot start: " + thrown.what() + "."};
  }
}

Endpoint::Endpoint(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Endpoint::~Endpoint() = default;

const Address& Endpoint::listen() const {
  return core_->bound();
}

Status Endpoint::Publish(const PublishedPrimary& primary) {
  return PublishKnownAt(primary, core_->clock().Now().mono);
}

Status Endpoint::PublishKnownAt(const PublishedPrimary& primary, TimePoint known_at) {
  return core_->Call(
      [core = core_.get(), primary, known_at] { return core->Publish(primary, known_at); });
}

Status Endpoint::Drain(Duration grace, Deadline deadline) {
  auto over = std::make_shared<std::promise<void>>();
  const auto told = over->get_future();
  PHA_TRY(core_->Call([core = core_.get(), grace, over] { return core->BeginDrain(grace, over); }));
  static_cast<void>(told.wait_for(deadline.left()));
  return core_->Call([core = core_.get()] { return core->Drained(); });
}

Status Endpoint::Withdraw() {
  return core_->Call([core = core_.get()] { return core->Withdraw(); });
}

PublicationSeen Endpoint::Current() const {
  return core_->Current();
}

Status Endpoint::SetLease(Duration lease) {
  return core_->Call([core = core_.get(), lease] { return core->SetLease(lease); });
}

Status Endpoint::SetHold(Milliseconds hold) {
  return core_->Call([core = core_.get(), hold] { return core->SetHold(hold); });
}

Status Endpoint::Renew(Epoch epoch, TimePoint known_at) {
  return core_->Call(
      [core = core_.get(), epoch, known_at] { return core->Renew(epoch, known_at); });
}

EndpointStatistics Endpoint::Statistics() const {
  const EndpointCounts& counts = core_->counts();
  EndpointStatistics out;
  out.sessions_now = counts.sessions_now;
  out.sessions_total = counts.sessions_total;
  out.sessions_cut = counts.sessions_cut;
  out.sessions_drained = counts.sessions_drained;
  out.held_now = counts.held_now;
  out.held_expired = counts.held_expired;
  out.refused = counts.refused;
  out.failed_connects = counts.failed_connects;
  out.bytes_from_clients = counts.bytes_from_clients;
  out.bytes_to_clients = counts.bytes_to_clients;
  return out;
}

}  // namespace pandora_ha
