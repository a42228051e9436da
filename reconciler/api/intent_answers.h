// What the addresses of a cluster's intents answer.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/api/answers.h"

namespace pandora_ha {

// For one request. What it is made of must outlive it.
class IntentAnswers {
 public:
  // `pending` was asked for before `last` was taken from the noticeboard: what is taken up in
  // between is on both, and never on neither.
  IntentAnswers(const IntentDesk& desk, const Clock& clock, std::vector<Intent> pending,
                const Snapshot& last)
      : desk_(desk), clock_(clock), pending_(std::move(pending)), last_(last) {}

  // 202 with the record (state "pending"); 200 for an id that is known; 400; 409. With
  // dryRun=true: 200 with what would be done, and nothing is kept.
  Answer Ask(const Request& request, std::string_view query) const;
  // What the memory keeps, then what is pending; the newest last.
  Answer All() const;
  Answer One(const std::string& id) const;

 private:
  Answer DryRun(const Intent& intent) const;
  // In memory or pending.
  struct Known {
    Intent intent;
    nlohmann::json told;
  };
  std::optional<Known> Find(const std::string& id) const;

  const IntentDesk& desk_;
  const Clock& clock_;
  const std::vector<Intent> pending_;
  const Snapshot& last_;
};

}  // namespace pandora_ha
