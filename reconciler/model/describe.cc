// Every action and condition in words; the same words in log, plan, history and tests.
#include "reconciler/base/overloaded.h"
#include "reconciler/model/plan.h"

namespace pandora_ha {
namespace {

std::string InEpoch(Epoch epoch) {
  return " (epoch " + std::to_string(epoch.number) + ")";
}

std::string Counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string Describe(const RowCounts& rows) {
  std::string says;
  const auto add = [&](std::uint64_t count, const char* how) {
    if (count > 0) says += (says.empty() ? "" : ", ") + std::to_string(count) + " " + how;
  };
  add(rows.inserted, "inserted");
  add(rows.updated, "updated");
  add(rows.deleted, "deleted");
  return says;
}

std::string How(const RebuildServer& rebuild) {
  switch (rebuild.method) {
    case ResyncMethod::kAuto:
      break;
    case ResyncMethod::kClone:
      return " by CLONE";
    case ResyncMethod::kBackupStream:
      return " by a streamed backup";
    case ResyncMethod::kDump:
      return " by a dump";
    case ResyncMethod::kScript:
      return " by " + rebuild.script;
  }
  return "";
}

}  // namespace

std::string Describe(const MergedRows& rows) {
  std::string says = Counted(rows.merged, "row", "rows") + " merged";
  if (rows.already_there > 0)
    says += ", " + std::to_string(rows.already_there) + " were there already";
  if (rows.rejected + rows.statements == 0) return says;
  says += ", ";
  if (rows.rejected > 0) says += Counted(rows.rejected, "row", "rows");
  if (rows.statements > 0) {
    says +=
        (rows.rejected > 0 ? " and " : "") + Counted(rows.statements, "statement", "statements");
  }
  return says + " left in the archive";
}

std::string Describe(const Divergence& divergence) {
  if (divergence.OnlyMarks()) return "only marks of a manager, which nobody misses";
  std::string says = Counted(divergence.rows().all(), "row", "rows");
  std::string tables;
  for (const auto& [table, rows] : divergence.tables)
    tables += (tables.empty() ? "" : "; ") + table + ": " + Describe(rows);
  if (divergence.other_tables.all() > 0)
    tables += "; other tables: " + Describe(divergence.other_tables);
  if (!tables.empty()) says += " (" + tables + ")";
  if (divergence.statement_count > 0) {
    says += " and " + Counted(divergence.statement_count, "statement", "statements") + " (" +
            divergence.statements.front() + (divergence.statement_count > 1 ? ", …)" : ")");
  }
  if (divergence.marks > 0)
    says += ", beside " + Counted(divergence.marks, "mark", "marks") + " of a manager";
  if (divergence.first && divergence.last) {
    says +=
        ", from " + FormatWallTime(*divergence.first) + " to " + FormatWallTime(*divergence.last);
  }
  return says;
}

std::string Describe(const Action& action) {
  return std::visit(
      Overloaded{
          [](const StartServer& a) {
            return "start the server of " + a.node.text +
                   (a.discard_unacknowledged ? ", taking back what no replica acknowledged" : "");
          },
          [](const FenceServer& a) {
            return "fence " + a.node.text +
                   ": kill its server; nobody but a manager may start it again";
          },
          [](const SetReadOnly& a) { return "make " + a.node.text + " read-only"; },
          [](const EndTransactions& a) {
            return "end the transactions and locks on " + a.node.text + " that hold up the change";
          },
          [](const DrainClients&) {
            return std::string("let clients finish their statements and new ones wait");
          },
          [](const WithdrawPublication&) {
            return std::string("cut the clients and let new ones wait");
          },
          [](const StopReceiving& a) { return "stop " + a.node.text + " receiving"; },
          [](const ApplyReceived& a) {
            return "wait until " + a.node.text + " has executed everything it received";
          },
          [](const LeaveReplication& a) { return "let " + a.node.text + " follow nobody"; },
          [](const SetSemiSync& a) {
            return "set semi-sync of " + a.node.text + " to " + std::string(ToString(a.role));
          },
          [](const Provision& a) { return "create schema and accounts on " + a.node.text; },
          [](const OpenWritable& a) {
            return "open " + a.node.text + " for writing" + InEpoch(a.epoch);
          },
          [](const WriteMarker& a) {
            return "write the marker row on " + a.node.text + InEpoch(a.epoch);
          },
          [](const Publish& a) { return "send clients to " + a.node.text + InEpoch(a.epoch); },
          [](const RebuildServer& a) {
            return "make the data of " + a.node.text + " anew from " + a.source.text + How(a) +
                   (a.set_aside ? ", setting the old aside" : "");
          },
          [](const DiscardOldCopy& a) { return "delete the old data of " + a.node.text; },
          [](const ArchiveOwnRows& a) {
            return "archive what " + a.node.text + " committed by itself";
          },
          [](const MergeOwnRows& a) {
            return "merge what " + a.node.text + " committed by itself into " + a.primary.text;
          },
          [](const StopMerge& a) {
            return "end the merge of what " + a.node.text + " committed by itself";
          },
          [](const RewindServer& a) {
            return "take back on " + a.node.text + " what it committed by itself";
          },
          [](const VerifyServer& a) {
            return "compare the rows of " + a.node.text + " with those of " + a.primary.text;
          },
          [](const InjectEmpty& a) {
            return "enter " + a.transactions.ToString() + " of " + a.of.text +
                   " into the history of " + a.node.text + " as empty transactions";
          },
          [](const ReplicateFrom& a) { return "let " + a.node.text + " follow " + a.source.text; },
      },
      action);
}

std::string Describe(const Condition& condition) {
  return std::visit(
      Overloaded{
          [](const ProcessEnded& c) { return c.node.text + "'s server has ended and stays down"; },
          [](const IsReadOnly& c) { return c.node.text + " is read-only"; },
          [](const IsWritable& c) { return c.node.text + " is writable"; },
      },
      condition);
}

NodeName TargetOf(const Action& action) {
  return std::visit(Overloaded{[](const DrainClients&) { return NodeName(); },
                               [](const WithdrawPublication&) { return NodeName(); },
                               [](const auto& a) { return a.node; }},
                    action);
}

bool OnlyTellsClients(const Action& action) {
  return std::holds_alternative<Publish>(action);
}

bool OnlyEndsOurWork(const Action& action) {
  return std::holds_alternative<StopMerge>(action);
}

}  // namespace pandora_ha
