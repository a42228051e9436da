// A document as a flat list of what it says, to find a place in it and to tell two of them apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reconciler/spec/tree.h"

namespace pandora_ha {

struct Field {
  std::string text;  // as written, or the schema's default
  Position at;
};

// By path. An item of a list is called by its name: "spec.database.nodes[node1].address". A list of
// plain values is one field.
using Fields = std::map<std::string, Field>;

Fields FieldsOf(const TreeNode& root);

// A part of a sentence for each difference; a whole item that is new or gone is one. What stands at
// a path that speaks of secrets is not repeated.
std::vector<std::string> DescribeChange(const Fields& before, const Fields& after);

}  // namespace pandora_ha
