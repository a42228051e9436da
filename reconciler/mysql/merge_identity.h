// Which agent and module of the primary a number in the diverged node's rows means. Internal to the
// merge.
//
// Both sides number their new agents and modules by themselves, so the same number may mean two.
// What existed before the histories parted has one meaning; what the node made since is found by
// its name, or not at all.
#pragma once

#include <map>
#include <string>

#include "reconciler/base/result.h"
#include "reconciler/binlog/account.h"
#include "reconciler/mysql/merge_tables.h"

namespace pandora_ha {

// What the node made by itself, from its own history.
class OwnIdentities final : public HistoryVisitor {
 public:
  OwnIdentities(const OwnTransactions& which, const std::string& schema, const MergeTable& agents,
                const MergeTable& modules)
      : which_(which), schema_(schema), agents_(agents), modules_(modules) {}

  Result<bool> Begin(const TransactionHead& head) override { return which_.Holds(head); }
  bool Wants(const TableMap& table) const override {
    return table.schema == schema_ && (table.table == "tagente" || table.table == "tagente_modulo");
  }
  Status Changed(const TableMap& table, const RowChange& change) override;
  Status Stated(std::string_view schema, std::string_view statement) override;
  Status Committed() override { return Ok(); }

  struct Module {
    std::int64_t agent = 0;
    std::string name;
  };
  // Why it is not known what the node made; empty: it is known.
  std::string unreadable;
  std::map<std::int64_t, std::string> made_agents;
  std::map<std::int64_t, Module> made_modules;

 private:
  const OwnTransactions& which_;
  const std::string schema_;
  const MergeTable& agents_;
  const MergeTable& modules_;
};

// A number of the primary's, or why there is none.
struct Identity {
  std::int64_t id = 0;
  std::string why_none;
};

class Identities {
 public:
  Identities(Session& session, const OwnIdentities& own, const MergeTable& agents,
             const MergeTable& modules, Seconds patience)
      : session_(session), own_(own), agents_(agents), modules_(modules), patience_(patience) {}

  // 0 means nobody, and stays 0.
  Result<Identity> Agent(std::int64_t id);
  Result<Identity> Module(std::int64_t id);

 private:
  Result<std::int64_t> Ask(const std::string& sql);

  Session& session_;
  const OwnIdentities& own_;
  const MergeTable& agents_;
  const MergeTable& modules_;
  const Seconds patience_;
  std::map<std::int64_t, Identity> agents_known_, modules_known_;
};

}  // namespace pandora_ha
