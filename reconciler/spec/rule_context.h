// What the files of rules share: rules.cc has the table, rules_topology.cc and rules_database.cc
// the rules. Nobody else includes this.
#pragma once

#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "reconciler/spec/problem.h"
#include "reconciler/spec/rules.h"

namespace pandora_ha::rules {

inline constexpr char kNodes[] = "spec.database.nodes";
inline constexpr char kWitnesses[] = "spec.lease.witnesses";

// What a rule sees, and where it puts what it finds. Values that the schema has refused are empty
// here; a rule skips them.
struct Context {
  const ClusterSpec& spec;
  const TreeNode& root;
  std::string rule_id;
  std::vector<RuleViolation>* out;

  void Report(std::string path, std::string message, std::vector<std::string> reads = {}) const {
    out->push_back({rule_id, std::move(path), std::move(message), std::move(reads)});
  }
  bool OnKubernetes() const { return spec.substrate == SubstrateKind::kKubernetes; }
};

inline std::string Where(const char* list, std::size_t index, const char* field) {
  return ChildPath(ItemPath(list, index), field);
}

// Reports every entry whose `field` repeats that of an earlier one.
template <class Entry, class Value>
void ReportRepeats(const Context& context, const char* list, const std::vector<Entry>& entries,
                   const char* field, Value Entry::*member) {
  std::map<Value, std::size_t> first;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Value& value = entries[i].*member;
    if (value == Value{}) continue;
    const auto [earlier, is_new] = first.emplace(value, i);
    if (is_new) continue;
    std::string text;
    if constexpr (std::is_arithmetic_v<Value>) {
      text = std::to_string(value);
    } else {
      text = Shown(value);
    }
    context.Report(
        Where(list, i, field),
        text + " is already " + Where(list, earlier->second, field) + "; each must have its own");
  }
}

// Who is where: nodes, witnesses, endpoint, sections of a substrate.
void UniqueAddress(const Context& context);
void UniqueServerId(const Context& context);
void UniqueWitnessAddress(const Context& context);
void AddressForm(const Context& context);
void NodesOfHosts(const Context& context);
void ReplicasOfKubernetes(const Context& context);
void PreferenceNamesNode(const Context& context);
void LoopbackOnLocal(const Context& context);
void SshOfHosts(const Context& context);
void VirtualIpOfHosts(const Context& context);
void VirtualIpIsApart(const Context& context);
void SemiSyncNeedsReplica(const Context& context);
void WitnessPolicyNeedsWitness(const Context& context);
void LeaseOutlastsDetection(const Context& context);
void WitnessIsApart(const Context& context);
void EndpointIsApart(const Context& context);
void EndpointLeavesPort(const Context& context);
void SharedSubdirectory(const Context& context);
void ConsoleAddresses(const Context& context);
void LocalSection(const Context& context);
void KubernetesSection(const Context& context);
void ClaimOfKubernetes(const Context& context);

// What is inside `database`, passwords included.
void AccountsDiffer(const Context& context);
void OneSecretSource(const Context& context);
void SecretSourceFitsSubstrate(const Context& context);
void ClientCertificatePair(const Context& context);
void RestartAllowance(const Context& context);
void ScriptMethodNeedsScript(const Context& context);
void OptionName(const Context& context);
void ManagedOption(const Context& context);

}  // namespace pandora_ha::rules
