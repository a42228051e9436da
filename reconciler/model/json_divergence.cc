#include <nlohmann/json.hpp>

#include "reconciler/model/json.h"
#include "reconciler/model/json_fields.h"

namespace pandora_ha {
namespace {

using Json = nlohmann::json;

Json RowsToJson(const RowCounts& rows) {
  return {{"inserted", rows.inserted}, {"updated", rows.updated}, {"deleted", rows.deleted}};
}

}  // namespace

static void ReadFields(Fields& fields, RowCounts* out) {
  fields.Need("inserted", &out->inserted);
  fields.Need("updated", &out->updated);
  fields.Need("deleted", &out->deleted);
}

static void ReadFields(Fields& fields, std::map<std::string, RowCounts>* out) {
  for (const std::string& table : fields.Keys()) fields.Need(table, &(*out)[table]);
}

void ReadFields(Fields& fields, Divergence* out) {
  fields.Need("transactions", &out->transactions);
  fields.Need("marks", &out->marks);
  fields.May("first", &out->first);
  fields.May("last", &out->last);
  fields.Need("tables", &out->tables);
  fields.Need("otherTables", &out->other_tables);
  fields.Need("statements", &out->statements);
  fields.Need("statementCount", &out->statement_count);
}

void ReadFields(Fields& fields, MergedRows* out) {
  fields.Need("merged", &out->merged);
  fields.Need("alreadyThere", &out->already_there);
  fields.Need("rejected", &out->rejected);
  fields.Need("statements", &out->statements);
}

Json ToJson(const MergedRows& rows) {
  return {{"merged", rows.merged},
          {"alreadyThere", rows.already_there},
          {"rejected", rows.rejected},
          {"statements", rows.statements}};
}

Json ToJson(const Divergence& divergence) {
  Json tables = Json::object();
  for (const auto& [table, rows] : divergence.tables) tables[table] = RowsToJson(rows);
  Json out = {{"transactions", divergence.transactions},
              {"marks", divergence.marks},
              {"tables", std::move(tables)},
              {"otherTables", RowsToJson(divergence.other_tables)},
              {"statements", divergence.statements},
              {"statementCount", divergence.statement_count}};
  if (divergence.first) out["first"] = FormatWallTime(*divergence.first);
  if (divergence.last) out["last"] = FormatWallTime(*divergence.last);
  return out;
}

template <class T>
static Result<T> FromJson(const Json& value) {
  std::optional<Error> error;
  T read;
  Fields fields(value, "", &error);
  if (!error) ReadFields(fields, &read);
  if (error) return *error;
  return read;
}

Result<Divergence> DivergenceFromJson(const Json& value) {
  return FromJson<Divergence>(value);
}
Result<MergedRows> MergedRowsFromJson(const Json& value) {
  return FromJson<MergedRows>(value);
}

}  // namespace pandora_ha
