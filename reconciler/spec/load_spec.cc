#include "reconciler/spec/load_spec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "reconciler/base/descriptor.h"
#include "reconciler/spec/not_reconciled.h"
#include "reconciler/spec/rules.h"
#include "reconciler/spec/schema.h"
#include "reconciler/spec/schema_walker.h"
#include "reconciler/spec/to_spec.h"
#include "reconciler/spec/yaml_reader.h"

namespace pandora_ha {
namespace {

constexpr char kApiVersion[] = "ha.pandorafms.io/v1alpha1";
constexpr char kKind[] = "PandoraCluster";

Problem AtTop(const std::string& file, std::string message) {
  return {file, {}, "", std::move(message), ""};
}

// One path stands for the other when it is the same, above it or below it.
bool Related(const std::string& a, const std::string& b) {
  const auto& [shorter, longer] = std::minmax(
      a, b, [](const std::string& x, const std::string& y) { return x.size() < y.size(); });
  if (!longer.starts_with(shorter)) return false;
  if (shorter.empty()) return true;
  return longer.size() == shorter.size() || longer[shorter.size()] == '.' ||
         longer[shorter.size()] == '[';
}

bool Trusted(const RuleViolation& violation, const std::vector<std::string>& suspects) {
  const auto spoilt = [&](const std::string& path) {
    return std::any_of(suspects.begin(), suspects.end(),
                       [&](const std::string& suspect) { return Related(path, suspect); });
  };
  return !spoilt(violation.path) &&
         std::none_of(violation.reads.begin(), violation.reads.end(), spoilt);
}

void CheckWord(const std::string& file, TreeNode& root, const char* field, const char* wanted,
               std::vector<Problem>* problems) {
  const TreeNode* node = root.Find(field);
  if (node == nullptr || node->kind != NodeKind::kString || node->text == wanted) return;
  problems->push_back({file, node->at, field,
                       "found the text " + Shown(node->text) + "; must be '" + wanted + "'", ""});
}

void Judge(const std::string& file, ReadTree* read, const ClusterSpec* before, LoadedSpec* loaded) {
  WalkResult walk = WalkSchema(file, DocumentSchema(), &read->root);
  loaded->fields = FieldsOf(read->root);
  std::move(walk.problems.begin(), walk.problems.end(), std::back_inserter(loaded->problems));
  loaded->warnings = std::move(walk.warnings);
  CheckWord(file, read->root, "apiVersion", kApiVersion, &loaded->problems);
  CheckWord(file, read->root, "kind", kKind, &loaded->problems);
  ClusterSpec spec = ToSpec(read->root);
  std::vector<RuleViolation> violations = CheckRules(spec, read->root);
  if (before != nullptr) {
    std::vector<RuleViolation> changes = CheckChange(*before, spec);
    std::move(changes.begin(), changes.end(), std::back_inserter(violations));
  }
  const auto to_problem = [&](const RuleViolation& violation) {
    return Problem{file, Locate(read->root, violation.path), violation.path, violation.message,
                   violation.rule_id};
  };
  for (const RuleViolation& violation : violations) {
    if (Trusted(violation, walk.suspects)) {
      loaded->problems.push_back(to_problem(violation));
    } else {
      loaded->all_told = false;
    }
  }
  if (!loaded->problems.empty()) return;
  spec.not_reconciled = FindNotReconciled(spec, read->root);
  for (const RuleViolation& advice : Advice(spec)) loaded->warnings.push_back(to_problem(advice));
  for (const NotReconciledPart& part : spec.not_reconciled) {
    loaded->warnings.push_back({file, Locate(read->root, part.path), part.path,
                                "not reconciled yet: " + part.sentence, ""});
  }
  loaded->spec = std::move(spec);
}

void Sort(std::vector<Problem>* problems) {
  std::stable_sort(problems->begin(), problems->end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
}

LoadedSpec Load(const std::string& file, const std::string& text, const ClusterSpec* before) {
  LoadedSpec loaded;
  ReadTree read = ReadYaml(file, text);
  loaded.problems = std::move(read.problems);
  if (read.whole && read.root.kind == NodeKind::kNull) {
    loaded.problems.push_back(AtTop(file, "the file is empty; a document begins with apiVersion: " +
                                              std::string(kApiVersion) + " and kind: " + kKind));
  } else if (read.whole) {
    Judge(file, &read, before, &loaded);
  }
  Sort(&loaded.problems);
  Sort(&loaded.warnings);
  if (loaded.problems.size() > kMaxProblems) {
    loaded.problems.resize(kMaxProblems);
    loaded.problems.push_back(AtTop(file, "there are more problems; only the first " +
                                              std::to_string(kMaxProblems) + " are shown"));
  }
  return loaded;
}

}  // namespace

LoadedSpec LoadSpecText(const std::string& name, const std::string& text) {
  return Load(name, text, nullptr);
}

// At most one byte more than is allowed is read, so that its length tells.
Result<std::string> ReadDocument(const std::string& path) {
  const auto failed = [] {
    return Error{
        ErrorCode::kIo,
        std::string("cannot be read: ") + std::strerror(errno) +
            (errno == EISDIR ? "; name the files in it" : "; check the name and its permissions"),
        errno};
  };
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return failed();
  std::string text;
  char buffer[16 * 1024];
  ssize_t got = 0;
  while (text.size() <= kMaxDocumentBytes && (got = read(file.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  if (got < 0) return failed();
  return text;
}

LoadedSpec LoadSpecFile(const std::string& path) {
  const auto text = ReadDocument(path);
  if (text.ok()) return LoadSpecText(path, *text);
  LoadedSpec loaded;
  loaded.problems.push_back(AtTop(path, text.error().message));
  return loaded;
}

LoadedSpec LoadChangedSpec(const std::string& name, const std::string& text,
                           const ClusterSpec& before) {
  return Load(name, text, &before);
}

const std::vector<NotReconciledPart>& NotReconciled(const ClusterSpec& spec) {
  return spec.not_reconciled;
}

}  // namespace pandora_ha
