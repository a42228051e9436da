// A document, from text to values: the whole of it, or everything that is wrong with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/model/spec.h"
#include "reconciler/spec/fields.h"
#include "reconciler/spec/problem.h"

namespace pandora_ha {

struct LoadedSpec {
  std::optional<ClusterSpec> spec;  // present exactly when `problems` is empty
  Fields fields;                    // of what could be read
  std::vector<Problem> problems;    // all of them, in the order of the text
  std::vector<Problem>
      warnings;  // acceptable but worth a look: among them every part that nothing reconciles yet
  // False: a rule between fields had something to say of one that is wrong itself. It is judged
  // anew when that one is right.
  bool all_told = true;

  bool ok() const { return spec.has_value(); }
};

// YAML, or JSON as an API server gives it. `name` stands for the file in messages. Total: no input
// makes it throw, and no message holds a value of a secret-looking field.
LoadedSpec LoadSpecText(const std::string& name, const std::string& text);

// The text of a file; at most a little more than a document may have. The message is a part of a
// sentence that begins with the path.
Result<std::string> ReadDocument(const std::string& path);

// A file that cannot be read is a problem like any other.
LoadedSpec LoadSpecFile(const std::string& path);

// A changed document of a running cluster. What may not be changed is a problem; the caller keeps
// `before` in force then.
LoadedSpec LoadChangedSpec(const std::string& name, const std::string& text,
                           const ClusterSpec& before);

// The parts of a loaded document that nothing reconciles yet (ClusterSpec::not_reconciled).
const std::vector<NotReconciledPart>& NotReconciled(const ClusterSpec& spec);

}  // namespace pandora_ha
