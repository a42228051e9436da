#include "reconciler/model/intent.h"

namespace pandora_ha {
namespace {

std::string Of(const std::optional<NodeName>& node) {
  return node ? " " + node->text : "";
}

struct Kind {
  std::string_view operator()(const Switchover&) const { return "switchover"; }
  std::string_view operator()(const ForcedFailover&) const { return "failover"; }
  std::string_view operator()(const Pause&) const { return "pause"; }
  std::string_view operator()(const Resume&) const { return "resume"; }
  std::string_view operator()(const Fence&) const { return "fence"; }
  std::string_view operator()(const Unfence&) const { return "unfence"; }
  std::string_view operator()(const Resync&) const { return "resync"; }
  std::string_view operator()(const Acknowledge&) const { return "ack"; }
};

struct Describer {
  std::string operator()(const Switchover& w) const {
    return w.to ? "switchover to " + w.to->text : "switchover";
  }
  std::string operator()(const ForcedFailover& w) const {
    return (w.to ? "failover to " + w.to->text : std::string("failover")) +
           (w.allow_data_loss ? ", data loss allowed" : "");
  }
  std::string operator()(const Pause& w) const {
    return "pause" + Of(w.node) + (w.lasts ? " for " + FormatDuration(*w.lasts) : "");
  }
  std::string operator()(const Resume& w) const { return "resume" + Of(w.node); }
  std::string operator()(const Fence& w) const { return "fence " + w.node.text; }
  std::string operator()(const Unfence& w) const { return "unfence " + w.node.text; }
  std::string operator()(const Resync& w) const {
    return "resync " + w.node.text + (w.set_aside ? ", setting its data aside" : "");
  }
  std::string operator()(const Acknowledge&) const { return "ack"; }
};

}  // namespace

std::string_view ToString(IntentState state) {
  switch (state) {
    case IntentState::kUnderWay:
      return "underWay";
    case IntentState::kDone:
      return "done";
    case IntentState::kRefused:
      return "refused";
    case IntentState::kTakenBack:
      return "takenBack";
    case IntentState::kSuperseded:
      return "superseded";
  }
  return "";
}

bool ChangesPrimary(const Wish& wish) {
  return std::holds_alternative<Switchover>(wish) || std::holds_alternative<ForcedFailover>(wish);
}

bool IsGuard(const Wish& wish) {
  return !ChangesPrimary(wish) && !std::holds_alternative<Resync>(wish);
}

std::string_view KindOf(const Wish& wish) {
  return std::visit(Kind{}, wish);
}

std::string Describe(const Wish& wish) {
  return std::visit(Describer{}, wish);
}

}  // namespace pandora_ha
