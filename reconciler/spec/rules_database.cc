#include <algorithm>

#include "reconciler/spec/rule_context.h"

namespace pandora_ha::rules {

void AccountsDiffer(const Context& context) {
  const Credentials& credentials = context.spec.database.credentials;
  const std::pair<const char*, const std::string*> users[] = {
      {"admin", &credentials.admin.user},
      {"replication", &credentials.replication.user},
      {"application", &credentials.application.user}};
  for (int i = 1; i < 3; ++i) {
    for (int j = 0; j < i; ++j) {
      if (users[i].second->empty() || *users[i].second != *users[j].second) continue;
      context.Report(std::string("spec.database.credentials.") + users[i].first + ".user",
                     std::string("the user of `") + users[i].first + "` may not be that of `" +
                         users[j].first +
                         "`: each account has other privileges, and only the admin's may write on "
                         "a read-only server");
      break;
    }
  }
}

namespace {

template <class Check>
void ForEachAccount(const Context& context, Check check) {
  const Credentials& credentials = context.spec.database.credentials;
  const TreeNode* spec = context.root.Find("spec");
  const TreeNode* database = spec == nullptr ? nullptr : spec->Find("database");
  const TreeNode* declared = database == nullptr ? nullptr : database->Find("credentials");
  const std::pair<const char*, const Account*> accounts[] = {
      {"admin", &credentials.admin},
      {"replication", &credentials.replication},
      {"application", &credentials.application}};
  for (const auto& [name, account] : accounts) {
    const TreeNode* written = declared == nullptr ? nullptr : declared->Find(name);
    if (written == nullptr || written->Find("passwordFrom") == nullptr) continue;
    check(std::string("spec.database.credentials.") + name + ".passwordFrom",
          account->password_from);
  }
}

}  // namespace

void OneSecretSource(const Context& context) {
  ForEachAccount(context, [&](const std::string& path, const SecretSource& source) {
    std::vector<std::string> set;
    if (!source.file.empty()) set.push_back("file");
    if (!source.environment.empty()) set.push_back("env");
    if (!source.secret_name.empty()) set.push_back("secretKeyRef");
    if (set.size() == 1) return;
    context.Report(
        path, set.empty()
                  ? "it says nowhere where the password is; set one of file, env and secretKeyRef"
                  : Listed(set) + " are set; keep one of them");
  });
}

void SecretSourceFitsSubstrate(const Context& context) {
  ForEachAccount(context, [&](const std::string& path, const SecretSource& source) {
    const bool reference = !source.secret_name.empty();
    if (context.OnKubernetes() && !reference &&
        !(source.file.empty() && source.environment.empty())) {
      context.Report(path,
                     "on substrate 'kubernetes' a password comes from a Secret; write "
                     "secretKeyRef: {name: …, key: …}",
                     {"spec.substrate"});
    } else if (!context.OnKubernetes() && reference) {
      context.Report(path + ".secretKeyRef",
                     "Secrets exist on substrate 'kubernetes' only; write file: /path or env: NAME",
                     {"spec.substrate"});
    }
  });
}

void ClientCertificatePair(const Context& context) {
  const TlsSpec& tls = context.spec.database.tls;
  if (tls.certificate_file.empty() == tls.key_file.empty()) return;
  const bool no_key = tls.key_file.empty();
  context.Report(no_key ? "spec.database.tls.certificateFile" : "spec.database.tls.keyFile",
                 no_key ? "a certificate is of no use without its key; set `keyFile` too"
                        : "a key is of no use without its certificate; set `certificateFile` too",
                 {no_key ? "spec.database.tls.keyFile" : "spec.database.tls.certificateFile"});
}

void RestartAllowance(const Context& context) {
  const TreeNode* node = &context.root;
  for (const char* key : {"spec", "database", "restart"})
    node = node == nullptr ? nullptr : node->Find(key);
  const TreeNode* in_place = node == nullptr ? nullptr : node->Find("inPlace");
  if (in_place == nullptr) return;
  const bool allowed = in_place->text == "allow", timed = node->Find("allowSeconds") != nullptr;
  if (allowed == timed) return;
  context.Report(
      allowed ? "spec.database.restart.inPlace" : "spec.database.restart.allowSeconds",
      allowed
          ? "'allow' needs to know for how long; set `allowSeconds`"
          : "nothing is waited for while `inPlace` is 'inhibit'; remove it or set inPlace: allow",
      {"spec.database.restart.inPlace", "spec.database.restart.allowSeconds"});
}

void ScriptMethodNeedsScript(const Context& context) {
  const ResyncSpec& resync = context.spec.database.resync;
  const bool method = resync.method == ResyncMethod::kScript, script = !resync.script.empty();
  if (method == script) return;
  context.Report(method ? "spec.database.resync.method" : "spec.database.resync.script",
                 method ? "'script' needs the path of the script; set `script`"
                        : "a script runs only with method: script; set it or remove `script`",
                 {"spec.database.resync.method", "spec.database.resync.script"});
}

void OptionName(const Context& context) {
  for (const auto& [name, value] : context.spec.database.configuration) {
    const bool form =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos &&
        !name.empty() && name[0] >= 'a' && name[0] <= 'z';
    if (form) continue;
    context.Report("spec.database.configuration",
                   Shown(name) +
                       " is no name of an option; it must be lower-case letters, digits, '_' and "
                       "'-', such as 'innodb_buffer_pool_size'");
  }
}

// "loose_skip_networking" → "networking"
std::string WithoutPrefixes(std::string name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : {"loose_", "skip_", "enable_", "disable_", "maximum_"}) {
      if (!name.starts_with(prefix)) continue;
      name.erase(0, prefix.size());
      again = true;
    }
  }
  return name;
}

void ManagedOption(const Context& context) {
  const auto& managed = ManagedOptions();
  for (const auto& [name, value] : context.spec.database.configuration) {
    std::string plain = name;
    std::replace(plain.begin(), plain.end(), '-', '_');
    plain = WithoutPrefixes(plain);
    if (std::find(managed.begin(), managed.end(), plain) == managed.end()) continue;
    context.Report(ChildPath("spec.database.configuration", name),
                   "the cluster decides this option itself; remove it");
  }
}

}  // namespace pandora_ha::rules
