// A changed document, taken up by a running manager.
#include <algorithm>
#include <utility>

#include "reconciler/app/manager_parts.h"
#include "reconciler/base/log.h"
#include "reconciler/spec/problem.h"

namespace pandora_ha {
namespace {

// What is in the way of a document may pass: another program listens there, a primary is removed.
constexpr Duration kTryAgainEvery = Seconds(10);

std::string NodeField(const NodeName& node, const char* field) {
  return "spec.database.nodes[" + node.text + "]." + field;
}

// An address that a running server of ours would have to move to.
std::optional<Refusal> MovedServer(const ClusterSpec& before, const ClusterSpec& after) {
  if (after.substrate != SubstrateKind::kLocal) return std::nullopt;
  if (before.database.port != after.database.port) {
    return Refusal{"spec.database.port", "it was " + std::to_string(before.database.port) +
                                             " and may not be changed: the servers listen there"};
  }
  for (const DatabaseNodeSpec& node : after.database.nodes) {
    const DatabaseNodeSpec* known = FindNode(before, node.name);
    if (known == nullptr || known->address == node.address) continue;
    return Refusal{NodeField(node.name, "address"),
                   "it was " + Shown(known->address) +
                       " and may not be changed: its server listens there; add another node and "
                       "remove this one"};
  }
  return std::nullopt;
}

std::optional<Refusal> RemovedPrimary(const Memory& memory, const ClusterSpec& before,
                                      const ClusterSpec& after) {
  const auto removed = [&](const std::optional<NodeName>& node) {
    return node && FindNode(before, *node) != nullptr && FindNode(after, *node) == nullptr;
  };
  if (removed(memory.primary)) {
    return Refusal{"spec.database.nodes",
                   memory.primary->text +
                       " is the primary and is not declared any more; make another node primary "
                       "first, with `pandora-ha switchover`"};
  }
  if (memory.promotion && (removed(memory.promotion->to) || removed(memory.promotion->from))) {
    return Refusal{"spec.database.nodes",
                   "a node of the promotion that is under way is not declared any more; wait until "
                   "it is over"};
  }
  return std::nullopt;
}

std::vector<std::string> ChangeOfPasswords(const ResolvedCredentials& before,
                                           const ResolvedCredentials& after) {
  std::vector<std::string> words;
  const auto compare = [&](const char* whose, const Secret& a, const Secret& b) {
    if (a != b) words.push_back(std::string("the password of ") + whose + " is another one");
  };
  compare("admin", before.admin, after.admin);
  compare("replication", before.replication, after.replication);
  compare("application", before.application, after.application);
  return words;
}

bool SamePasswords(const ResolvedCredentials& a, const ResolvedCredentials& b) {
  return ChangeOfPasswords(a, b).empty();
}

// Where the published primary is to be reached has changed: who is sent there must be sent anew.
bool PublishedMoves(const PublicationSeen& published, const ClusterSpec& before,
                    const ClusterSpec& after) {
  if (!published.primary) return false;
  const DatabaseNodeSpec* was = FindNode(before, *published.primary);
  const DatabaseNodeSpec* is = FindNode(after, *published.primary);
  return was != nullptr && is != nullptr &&
         (was->address != is->address || before.database.port != after.database.port);
}

}  // namespace

void Manager::Change(ManagerOptions next) {
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->next = std::move(next);
    parts_->refused.reset();
  }
  parts_->waker.Wake();
}

void Manager::Refuse(std::string why) {
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->next.reset();
    parts_->refused = std::move(why);
  }
  parts_->waker.Wake();
}

void Manager::Parts::TakeUpDocument() {
  std::optional<ManagerOptions> wanted;
  std::optional<std::string> problem;
  {
    const std::lock_guard lock(mutex);
    wanted = std::exchange(next, std::nullopt);
    problem = std::exchange(refused, std::nullopt);
  }
  if (wanted || problem) waiting.reset();
  if (problem) loop->SetDocumentProblem(*std::move(problem));
  const TimePoint now = clock.Now().mono;
  if (!wanted && waiting && now >= waiting->again) wanted = waiting->document;
  if (!wanted) return;
  const auto refusal = TakeUp(*wanted);
  if (!refusal) {
    waiting.reset();
    loop->SetDocumentProblem("");
    return;
  }
  const auto field = wanted->fields.find(refusal->path);
  const Position at = field == wanted->fields.end() ? Position{} : field->second.at;
  const std::string says = FormatProblem({wanted->file, at, refusal->path, refusal->message, ""});
  if (!waiting || waiting->says != says) {
    Log(LogLevel::kWarning, "A changed document is refused; the one of before stays in force.",
        {{"cluster", options.spec.name}, {"problem", says}});
  }
  waiting = Waiting{*std::move(wanted), says, now + kTryAgainEvery};
  loop->SetDocumentProblem(says + "; the document of before stays in force.");
}

std::optional<Refusal> Manager::Parts::WhyNot(const ManagerOptions& wanted) const {
  const ClusterSpec& before = options.spec;
  if (wanted.spec.name != before.name)
    return Refusal{"metadata.name", "it was " + Shown(before.name) + " and may not be changed"};
  if (wanted.spec.substrate != before.substrate ||
      wanted.spec.local.has_value() != before.local.has_value())
    return Refusal{"spec.substrate", "it may not be changed; declare a new cluster"};
  if (auto moved = MovedServer(before, wanted.spec)) return moved;
  return RemovedPrimary(loop->memory(), before, wanted.spec);
}

// Who is sent somewhere by what nobody looks after from now on is sent nowhere. The files may be
// shared with another manager, and are withdrawn only by the one that acts.
void Manager::Parts::WithdrawWhatEnds(const ClusterSpec& wanted) {
  const ClusterSpec& before = options.spec;
  const bool moves = PublishedMoves(publishers.Current(), before, wanted);
  Status withdrawn;
  if (!leader->Held()) {
    if (moves && endpoint) withdrawn = endpoint->Withdraw();
  } else if (moves) {
    withdrawn = publishers.Withdraw();
  } else if (hosts_file && HostsFilePath(before) != HostsFilePath(wanted)) {
    withdrawn = hosts_file->Withdraw();
  }
  if (withdrawn.ok()) return;
  Log(LogLevel::kWarning, "A publication that ends with the changed document stands.",
      {{"cluster", before.name}, {"error", withdrawn.error().message}});
}

std::optional<Refusal> Manager::Parts::TakeUp(ManagerOptions wanted) {
  wanted.state_directory = options.state_directory;
  wanted.supervisor_command = options.supervisor_command;
  const std::int64_t generation = std::max(wanted.spec.generation, options.spec.generation + 1);
  wanted.spec.generation = options.spec.generation;
  std::vector<std::string> words = DescribeChange(options.fields, wanted.fields);
  std::ranges::move(ChangeOfPasswords(options.passwords, wanted.passwords),
                    std::back_inserter(words));
  if (wanted.spec == options.spec && SamePasswords(wanted.passwords, options.passwords)) {
    const std::lock_guard lock(mutex);
    options = std::move(wanted);
    return std::nullopt;
  }
  wanted.spec.generation = generation;
  if (auto refusal = WhyNot(wanted)) return refusal;
  auto new_endpoint = EndpointFor(wanted.spec.endpoint);
  if (!new_endpoint.ok()) return Refusal{"spec.endpoint.listen", new_endpoint.error().message};
  if (local) {
    const Status changed =
        local->Change(LocalOptionsFor(wanted), clock, Deadline(clock, Seconds(10)));
    if (!changed.ok()) return Refusal{"spec.local", changed.error().message};
  }

  WithdrawWhatEnds(wanted.spec);
  std::shared_ptr<Endpoint> old_endpoint;
  {
    const std::lock_guard lock(mutex);
    options = std::move(wanted);
    old_endpoint = std::exchange(endpoint, *std::move(new_endpoint));
  }
  if (const Status set = SetUpPublishers(); !set.ok()) {
    Log(LogLevel::kError, "The writer endpoint does not go by the changed document.",
        {{"cluster", options.spec.name}, {"error", set.error().message}});
  }
  const std::vector<NodeName> replaced = MakeWorkers();
  MakeBeater();
  if (local) local->Keep(options.spec);
  loop->Changed(std::move(words), replaced);
  return std::nullopt;
}

}  // namespace pandora_ha
