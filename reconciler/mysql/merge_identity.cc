#include "reconciler/mysql/merge_identity.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace pandora_ha {
namespace {

// Byte by byte: a collation would take two names for one. The first comparison is for the index.
std::string Named(const std::string& name) {
  const std::string text = HexLiteral(name);
  return "nombre=_utf8mb4 " + text + " AND CAST(nombre AS BINARY)=" + text;
}

// A statement that changes rows, and does not tell which.
bool ChangesRows(std::string_view statement) {
  static constexpr std::array<std::string_view, 5> kWords = {"INSERT", "UPDATE", "DELETE",
                                                             "REPLACE", "LOAD"};
  const auto begins = [&](std::string_view word) {
    return statement.size() >= word.size() &&
           std::equal(word.begin(), word.end(), statement.begin(), [](char a, char b) {
             return a == std::toupper(static_cast<unsigned char>(b));
           });
  };
  return std::any_of(kWords.begin(), kWords.end(), begins);
}

}  // namespace

Status OwnIdentities::Changed(const TableMap& table, const RowChange& change) {
  const MergeTable& known = table.table == "tagente" ? agents_ : modules_;
  if (std::string why = known.WhyOther(table); !why.empty()) {
    unreadable = "what " + table.table + " says on the node cannot be read: " + why;
    return Ok();
  }
  if (change.after.empty()) return Ok();
  const bool made = change.kind == RowChange::Kind::kInsert;
  if (table.table == "tagente") {
    const auto id = agents_.Number(change.after, "id_agente");
    if (id && (made || made_agents.contains(*id)))
      made_agents[*id] = agents_.Text(change.after, "nombre");
    return Ok();
  }
  const auto id = modules_.Number(change.after, "id_agente_modulo");
  if (id && (made || made_modules.contains(*id))) {
    made_modules[*id] = {modules_.Number(change.after, "id_agente").value_or(0),
                         modules_.Text(change.after, "nombre")};
  }
  return Ok();
}

Status OwnIdentities::Stated(std::string_view, std::string_view statement) {
  if (ChangesRows(statement)) unreadable = "the node changed rows by a statement without rows";
  return Ok();
}

// 0: there is none.
Result<std::int64_t> Identities::Ask(const std::string& sql) {
  PHA_ASSIGN_OR_RETURN(const Rows rows, session_.Query(sql, Deadline(SystemClock(), patience_)));
  if (rows.empty()) return std::int64_t{0};
  return RowReader(rows, 0).Number("id").value_or(0);
}

Result<Identity> Identities::Agent(std::int64_t id) {
  if (id == 0) return Identity{};
  const auto known = agents_known_.find(id);
  if (known != agents_known_.end()) return known->second;
  const auto own = own_.made_agents.find(id);
  Identity identity;
  if (!own_.unreadable.empty()) {
    identity.why_none = own_.unreadable;
  } else if (!agents_.known()) {
    identity.why_none = "the primary has no agents";
  } else if (own == own_.made_agents.end()) {
    PHA_ASSIGN_OR_RETURN(identity.id, Ask("SELECT id_agente AS id FROM " + agents_.name() +
                                          " WHERE id_agente=" + std::to_string(id)));
    if (identity.id == 0) identity.why_none = "its agent is not on the primary";
  } else {
    PHA_ASSIGN_OR_RETURN(identity.id, Ask("SELECT MIN(id_agente) AS id FROM " + agents_.name() +
                                          " WHERE " + Named(own->second)));
    if (identity.id == 0) identity.why_none = "its agent is not on the primary";
  }
  agents_known_[id] = identity;
  return identity;
}

Result<Identity> Identities::Module(std::int64_t id) {
  if (id == 0) return Identity{};
  const auto known = modules_known_.find(id);
  if (known != modules_known_.end()) return known->second;
  const auto own = own_.made_modules.find(id);
  Identity identity;
  if (!own_.unreadable.empty()) {
    identity.why_none = own_.unreadable;
  } else if (!modules_.known()) {
    identity.why_none = "the primary has no modules";
  } else if (own == own_.made_modules.end()) {
    PHA_ASSIGN_OR_RETURN(identity.id, Ask("SELECT id_agente_modulo AS id FROM " + modules_.name() +
                                          " WHERE id_agente_modulo=" + std::to_string(id)));
    if (identity.id == 0) identity.why_none = "its module is not on the primary";
  } else {
    PHA_ASSIGN_OR_RETURN(const Identity agent, Agent(own->second.agent));
    if (agent.id != 0) {
      PHA_ASSIGN_OR_RETURN(
          identity.id,
          Ask("SELECT MIN(id_agente_modulo) AS id FROM " + modules_.name() +
              " WHERE id_agente=" + std::to_string(agent.id) + " AND " + Named(own->second.name)));
    }
    if (identity.id == 0) {
      identity.why_none =
          agent.why_none.empty() ? "its module is not on the primary" : agent.why_none;
    }
  }
  modules_known_[id] = identity;
  return identity;
}

}  // namespace pandora_ha
