// What an unquoted word is.
#pragma once

#include <string>

#include "reconciler/spec/tree.h"

namespace pandora_ha {

struct PlainScalar {
  NodeKind kind = NodeKind::kString;
  // Of kUnusable: how to write it so that every reader understands the same.
  std::string remedy;
};

// Types as JSON and YAML 1.2 do. What YAML 1.1 (the reader of kubectl among others) takes for
// something else is kUnusable.
PlainScalar ResolvePlain(const std::string& text);

}  // namespace pandora_ha
