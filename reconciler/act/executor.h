// Carries out a plan, and nothing else: it chooses neither steps nor order.
#pragma once

#include <functional>
#include <map>

#include "reconciler/base/clock.h"
#include "reconciler/model/plan.h"
#include "reconciler/model/spec.h"
#include "reconciler/port/database.h"
#include "reconciler/port/host.h"
#include "reconciler/port/lease.h"
#include "reconciler/port/node_runner.h"
#include "reconciler/port/publisher.h"

namespace pandora_ha {

// What a plan may be carried out with. All must outlive the call.
struct Hands {
  const ClusterSpec& spec;
  const ResolvedCredentials& passwords;
  std::map<NodeName, NodeRunner*> nodes;
  std::map<NodeName, Host*> hosts;  // nodes whose process somebody owns for us
  Publisher& publisher;
  Lease& lease;
  const Clock& clock;
};

// Runs the steps one after the other. Before each one the lease and the step's conditions are asked
// again; a condition that cannot be answered does not hold. A step that times out is kUnknown: the
// next look tells what became of it. `after_step` is called after every step that was tried.
Report Apply(const Plan& plan, const Hands& hands, const std::function<void()>& after_step = {});

}  // namespace pandora_ha
