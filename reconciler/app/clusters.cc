#include "reconciler/app/clusters.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "reconciler/app/passwords.h"
#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

Problem InDocument(const Declared::Good& document, const std::string& path, std::string message) {
  // The account itself is no field; its user is the first of it.
  const auto field = document.loaded.fields.lower_bound(path);
  const bool there = field != document.loaded.fields.end() && field->first.starts_with(path);
  return {document.file, there ? field->second.at : Position{}, path, std::move(message), ""};
}

bool IsOver(const std::future<void>& ending) {
  return ending.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace

std::string Summary(const std::vector<Problem>& problems) {
  std::string text = FormatProblem(problems.front());
  const std::size_t more = problems.size() - 1;
  if (more > 0)
    text += " (and " + std::to_string(more) + (more == 1 ? " more problem)" : " more problems)");
  return text;
}

Clusters::Clusters(StateDirectory state_directory, std::vector<std::string> supervisor_command,
                   const Clock& clock)
    : state_directory_(std::move(state_directory)),
      supervisor_command_(std::move(supervisor_command)),
      clock_(clock),
      pulse_(clock, kFrozen),
      queue_(clock) {}

Clusters::~Clusters() {
  queue_.Close();
  // All at once: each of them may have to wait for a server that does not answer.
  for (auto& [name, running] : running_) running.manager->Detach();
  for (auto& [name, running] : running_) running.manager->Stop();
  endings_.clear();
}

Status Clusters::Start(ManagerOptions options) {
  const std::string name = options.spec.name;
  const std::string file = options.file;
  PHA_ASSIGN_OR_RETURN(std::shared_ptr<Manager> manager,
                       Manager::Make(std::move(options), noticeboard_, pulse_, clock_));
  {
    const std::lock_guard lock(mutex_);
    running_[name] = {manager, clock_.Now().mono, file, ""};
  }
  manager->Attach(queue_);
  return Ok();
}

std::map<std::string, InForce> Clusters::InForceNow() const {
  std::map<std::string, InForce> in_force;
  for (const auto& [name, running] : running_)
    in_force[name] = {running.file, running.manager->options().spec};
  return in_force;
}

void Clusters::LetGo(const std::string& name) {
  std::shared_ptr<Manager> manager;
  {
    const std::lock_guard lock(mutex_);
    manager = std::move(running_.extract(name).mapped().manager);
  }
  Log(LogLevel::kWarning,
      "The document of a cluster is gone: its servers go on without a manager, and nobody fails "
      "over for it from now on.",
      {{"cluster", name}});
  // A turn may take as long as a plan.
  std::erase_if(endings_, IsOver);
  endings_.push_back(
      std::async(std::launch::async, [this, name, ending = std::move(manager)]() mutable {
        ending->Detach();
        noticeboard_.Take(name);
        ending.reset();  // and with it the state directory
      }));
}

void Clusters::Keep(const std::string& name, const std::vector<Problem>& problems) {
  Running& running = running_.at(name);
  running.text.clear();
  running.manager->Refuse(Summary(problems) + "; the document of before stays in force.");
}

RefusedDocument Clusters::TakeUp(const std::string& name, Declared::Good document,
                                 const std::string& text) {
  ManagerOptions wanted{*document.loaded.spec,  {},
                        state_directory_(name), supervisor_command_,
                        document.file,          document.loaded.fields};
  std::string where;
  auto passwords = ResolvePasswords(wanted.spec.database.credentials, &where);
  if (!passwords.ok())
    return {document.file, {InDocument(document, where, passwords.error().message)}};
  wanted.passwords = *std::move(passwords);
  const auto known = running_.find(name);
  if (known == running_.end()) {
    const Status started = Start(std::move(wanted));
    if (!started.ok())
      return {document.file, {{document.file, {}, "", started.error().message, ""}}, true};
    running_.at(name).text = text;
    for (const Problem& warning : document.loaded.warnings)
      Log(LogLevel::kWarning, FormatProblem(warning), {{"cluster", name}});
    return {};
  }
  Running& running = known->second;
  const ResolvedCredentials& before = running.manager->options().passwords;
  const bool same = running.text == text && before.admin == wanted.passwords.admin &&
                    before.replication == wanted.passwords.replication &&
                    before.application == wanted.passwords.application;
  running.file = document.file;
  running.text = text;
  if (!same) running.manager->Change(std::move(wanted));
  return {};
}

std::vector<RefusedDocument> Clusters::Declare(const std::map<std::string, DocumentFile>& files) {
  const auto in_force = InForceNow();
  Declared judged = Judge(files, in_force);
  for (const auto& [name, one] : in_force) {
    if (!judged.clusters.contains(name) && !judged.kept.contains(name)) LetGo(name);
  }
  std::vector<RefusedDocument> refused;
  for (auto& [file, problems] : judged.refused) refused.push_back({file, problems});
  for (const auto& [name, file] : judged.kept) Keep(name, judged.refused.at(file));
  for (auto& [name, document] : judged.clusters) {
    const std::string& text = files.at(document.file).text;
    RefusedDocument problem = TakeUp(name, std::move(document), text);
    if (problem.problems.empty()) continue;
    if (running_.contains(name)) Keep(name, problem.problems);
    refused.push_back(std::move(problem));
  }
  std::vector<RefusedDocument> fresh;
  std::ranges::copy_if(refused, std::back_inserter(fresh), [&](const RefusedDocument& document) {
    return std::count(refused_.begin(), refused_.end(), document) == 0;
  });
  const std::lock_guard lock(mutex_);
  refused_ = std::move(refused);
  return fresh;
}

Status Clusters::StopServers(Deadline deadline) {
  queue_.Close();
  Status all;
  for (auto& [name, running] : running_) {
    running.manager->Detach();
    if (Status stopped = running.manager->StopServers(deadline); !stopped.ok()) all = stopped;
  }
  return all;
}

std::vector<RefusedDocument> Clusters::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

std::map<std::string, TimePoint> Clusters::Since() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, TimePoint> since;
  for (const auto& [name, running] : running_) since[name] = running.since;
  return since;
}

std::shared_ptr<Manager> Clusters::Find(const std::string& cluster) const {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(cluster);
  return found == running_.end() ? nullptr : found->second.manager;
}

}  // namespace pandora_ha
