#include "reconciler/act/actions.h"

#include <variant>

namespace pandora_ha {
namespace {

// Longer than an ordinary transaction, shorter than what a waiting client notices.
constexpr Duration kDrainGrace = Milliseconds(30);

Error NoSuchNode(const NodeName& node) {
  return {ErrorCode::kInternal,
          "The plan names " + node.text + ", which the document does not declare."};
}

Status OnNode(const Hands& hands, const NodeName& node, Deadline deadline, NodeRunner::Task task) {
  const auto found = hands.nodes.find(node);
  if (found == hands.nodes.end()) return NoSuchNode(node);
  return found->second->Run(std::move(task), deadline);
}

Result<Host*> HostOf(const Hands& hands, const NodeName& node) {
  const auto found = hands.hosts.find(node);
  if (found == hands.hosts.end()) {
    return Error{ErrorCode::kUnsupported,
                 "Nobody owns the server process of " + node.text + " for us."};
  }
  return found->second;
}

Result<Address> AddressOf(const Hands& hands, const NodeName& node) {
  const DatabaseNodeSpec* declared = FindNode(hands.spec, node);
  if (declared == nullptr) return NoSuchNode(node);
  return Address{declared->address, hands.spec.database.port};
}

// Tasks own what they use: one that has begun outlives a Run that timed out.
struct Performer {
  const Hands& hands;
  Deadline deadline;

  // Nobody else refuses what clients are told by a manager that was frozen and replaced. The steps
  // that tell them are shorter than the time after which another one takes over.
  Status InTime() const {
    if (!deadline.passed()) return Ok();
    return Error{ErrorCode::kRefused,
                 "Clients were told nothing: this manager was held up for longer than the step may "
                 "take, and another one may have taken over."};
  }

  Status operator()(const StartServer& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->Start({a.discard_unacknowledged}, deadline);
  }
  Status operator()(const FenceServer& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->Fence(deadline);
  }
  Status operator()(const SetReadOnly& a) const {
    return OnNode(hands, a.node, deadline,
                  [](DatabaseNode& n, Deadline d) { return n.SetReadOnly(d); });
  }
  Status operator()(const EndTransactions& a) const {
    return OnNode(hands, a.node, deadline, [](DatabaseNode& n, Deadline d) -> Status {
      PHA_ASSIGN_OR_RETURN(auto blockers, n.Blockers(Duration::zero(), d));
      std::erase_if(blockers, [](const Blocker& b) { return !b.HoldsUp(); });
      return blockers.empty() ? Ok() : n.EndTransactions(blockers, d);
    });
  }
  Status operator()(const DrainClients&) const {
    PHA_TRY(InTime());
    const Status drained = hands.publisher.Drain(kDrainGrace, deadline);
    // Who is left is cut by the next step, which is asked for in any case.
    const bool some_left = !drained.ok() && drained.error().code == ErrorCode::kTimeout;
    return some_left ? Ok() : drained;
  }
  Status operator()(const WithdrawPublication&) const {
    PHA_TRY(InTime());
    return hands.publisher.Withdraw();
  }
  Status operator()(const StopReceiving& a) const {
    return OnNode(hands, a.node, deadline,
                  [](DatabaseNode& n, Deadline d) { return n.StopReceiving(d); });
  }
  Status operator()(const ApplyReceived& a) const {
    return OnNode(hands, a.node, deadline,
                  [](DatabaseNode& n, Deadline d) { return n.ApplyReceived(d); });
  }
  Status operator()(const LeaveReplication& a) const {
    return OnNode(hands, a.node, deadline,
                  [](DatabaseNode& n, Deadline d) { return n.LeaveReplication(d); });
  }
  Status operator()(const SetSemiSync& a) const {
    return OnNode(hands, a.node, deadline,
                  [role = a.role](DatabaseNode& n, Deadline d) { return n.SetSemiSync(role, d); });
  }
  Status operator()(const Provision& a) const {
    return OnNode(hands, a.node, deadline,
                  [spec = hands.spec, passwords = hands.passwords](DatabaseNode& n, Deadline d) {
                    return n.Provision(spec, passwords, d);
                  });
  }
  Status operator()(const OpenWritable& a) const {
    return OnNode(hands, a.node, deadline,
                  [](DatabaseNode& n, Deadline d) { return n.OpenWritable(d); });
  }
  Status operator()(const WriteMarker& a) const {
    return OnNode(hands, a.node, deadline,
                  [a, now = hands.clock.Now().wall](DatabaseNode& n, Deadline d) {
                    return n.WriteMarker(a.epoch, a.node, now, d);
                  });
  }
  Status operator()(const Publish& a) const {
    PHA_TRY(InTime());
    PHA_ASSIGN_OR_RETURN(const Address address, AddressOf(hands, a.node));
    return hands.publisher.Publish({a.node, address, a.epoch});
  }
  Status operator()(const RebuildServer& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    PHA_ASSIGN_OR_RETURN(const Address source, AddressOf(hands, a.source));
    return host->Rebuild(
        {a.id, a.source, source, a.source_history, a.method, a.script, a.set_aside}, deadline);
  }
  Status operator()(const DiscardOldCopy& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->DiscardOldCopy(deadline);
  }
  Status operator()(const ArchiveOwnRows& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->Archive({a.id, a.known, a.own}, deadline);
  }
  Status operator()(const MergeOwnRows& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    PHA_ASSIGN_OR_RETURN(const Address address, AddressOf(hands, a.primary));
    return host->Merge({a.id, a.place, a.primary, address, a.epoch}, deadline);
  }
  Status operator()(const StopMerge& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->StopMerge(a.id, deadline);
  }
  Status operator()(const RewindServer& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    return host->Rewind(a.id, a.place, deadline);
  }
  Status operator()(const VerifyServer& a) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, a.node));
    PHA_ASSIGN_OR_RETURN(const Address address, AddressOf(hands, a.primary));
    return host->Verify(a.id, a.primary, address, deadline);
  }
  Status operator()(const InjectEmpty& a) const {
    return OnNode(hands, a.node, deadline, [which = a.transactions](DatabaseNode& n, Deadline d) {
      return n.InjectEmpty(which, d);
    });
  }
  Status operator()(const ReplicateFrom& a) const {
    PHA_ASSIGN_OR_RETURN(const Address source, AddressOf(hands, a.source));
    return OnNode(hands, a.node, deadline,
                  [source, account = hands.spec.database.credentials.replication,
                   password = hands.passwords.replication](DatabaseNode& n, Deadline d) {
                    return n.ReplicateFrom(source, account, password, d);
                  });
  }
};

Status AskWritable(const Hands& hands, const NodeName& node, bool wanted, Deadline deadline) {
  return OnNode(hands, node, deadline, [node, wanted](DatabaseNode& n, Deadline d) -> Status {
    const Result<bool> writable = n.IsWritable(d);
    if (!writable) {
      return Error{ErrorCode::kRefused,
                   node.text + " does not say whether it is writable: " + writable.error().message};
    }
    if (*writable == wanted) return Ok();
    return Error{ErrorCode::kRefused, node.text + (wanted ? " is read-only." : " is writable.")};
  });
}

struct Asker {
  const Hands& hands;
  Deadline deadline;

  Status operator()(const ProcessEnded& c) const {
    PHA_ASSIGN_OR_RETURN(Host * host, HostOf(hands, c.node));
    const Seen<ProcessState> process = host->Process();
    if (!process.known()) {
      return Error{
          ErrorCode::kRefused,
          "Whether " + c.node.text + "'s server has ended is not known: " + process.why_unknown()};
    }
    if (process->phase != ProcessState::Phase::kRunning && process->restart_inhibited) return Ok();
    return Error{ErrorCode::kRefused, c.node.text + "'s server runs, or may be started again."};
  }
  Status operator()(const IsReadOnly& c) const {
    return AskWritable(hands, c.node, false, deadline);
  }
  Status operator()(const IsWritable& c) const {
    return AskWritable(hands, c.node, true, deadline);
  }
};

}  // namespace

Status Perform(const Action& action, const Hands& hands, Deadline deadline) {
  return std::visit(Performer{hands, deadline}, action);
}

Status Ask(const Condition& condition, const Hands& hands, Deadline deadline) {
  return std::visit(Asker{hands, deadline}, condition);
}

}  // namespace pandora_ha
