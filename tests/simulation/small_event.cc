// What may happen in the small world, in words.
#include "tests/simulation/small_world.h"

namespace pandora_ha::simulation {
namespace {

std::string Node(int node) {
  return "node" + std::to_string(node + 1);
}

}  // namespace

std::string ManagerName(int manager) {
  return "manager" + std::to_string(manager + 1);
}

std::string Describe(const SmallEvent& event) {
  const std::string step = " before step " + std::to_string(event.b + 1) + " of its plan";
  switch (event.kind) {
    case EventKind::kLook:
      return ManagerName(event.a) + " looks and acts";
    case EventKind::kGoOn:
      return ManagerName(event.a) + " goes on with its plan";
    case EventKind::kKill:
      return "FAULT: kill -9 of " + Node(event.a);
    case EventKind::kFreeze:
      return "FAULT: " + Node(event.a) + " freezes";
    case EventKind::kThaw:
      return Node(event.a) + " thaws";
    case EventKind::kCut:
      return "FAULT: " + ManagerName(event.a) + " is cut off from " + Node(event.b);
    case EventKind::kHeal:
      return ManagerName(event.a) + " reaches " + Node(event.b) + " again";
    case EventKind::kCutNodes:
      return "FAULT: the servers are cut off from one another";
    case EventKind::kHealNodes:
      return "the servers reach one another again";
    case EventKind::kCrash:
      return "FAULT: " + ManagerName(event.a) + " crashes and starts again";
    case EventKind::kAsk:
      return "somebody asks for a switchover to " + Node(event.a);
    case EventKind::kLookStop:
      return "FAULT: " + ManagerName(event.a) + " looks, and is frozen" + step;
    case EventKind::kLookCrash:
      return "FAULT: " + ManagerName(event.a) + " looks, and crashes" + step;
    case EventKind::kLookFail:
      return "FAULT: " + ManagerName(event.a) + " looks; step " + std::to_string(event.b + 1) +
             " fails";
    case EventKind::kLookLie:
      return "FAULT: " + ManagerName(event.a) + " looks; step " + std::to_string(event.b + 1) +
             " is done and reported failed";
  }
  return "";
}

bool IsFault(EventKind kind) {
  switch (kind) {
    case EventKind::kLook:
    case EventKind::kGoOn:
    case EventKind::kThaw:
    case EventKind::kHeal:
    case EventKind::kHealNodes:
      return false;
    case EventKind::kKill:
    case EventKind::kFreeze:
    case EventKind::kCut:
    case EventKind::kCutNodes:
    case EventKind::kCrash:
    case EventKind::kAsk:
    case EventKind::kLookStop:
    case EventKind::kLookCrash:
    case EventKind::kLookFail:
    case EventKind::kLookLie:
      return true;
  }
  return false;
}

}  // namespace pandora_ha::simulation
