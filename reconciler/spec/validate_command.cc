#include "reconciler/spec/validate_command.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "reconciler/spec/load_spec.h"

namespace pandora_ha {
namespace {

struct Judged {
  std::string file;
  LoadedSpec loaded;
};

// Two clusters of one name would fight over one state directory.
void FindRepeatedNames(std::vector<Judged>* judged) {
  std::map<std::pair<std::string, std::string>, std::string> first;
  for (Judged& one : *judged) {
    if (!one.loaded.ok()) continue;
    const auto key = std::pair(one.loaded.spec->name_space, one.loaded.spec->name);
    const auto [earlier, is_new] = first.emplace(key, one.file);
    if (is_new) continue;
    one.loaded.problems.push_back({one.file,
                                   {},
                                   "metadata.name",
                                   "'" + key.second + "' is already declared in " +
                                       earlier->second + "; give each cluster a name of its own",
                                   ""});
    one.loaded.spec.reset();
  }
}

// A file's name may hold any byte; JSON may not.
std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

nlohmann::ordered_json ToJson(const std::vector<Problem>& problems) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Problem& problem : problems) {
    nlohmann::ordered_json one = {{"file", problem.file},
                                  {"line", problem.at.line},
                                  {"column", problem.at.column},
                                  {"path", problem.path},
                                  {"message", problem.message}};
    if (!problem.rule_id.empty()) one["rule"] = problem.rule_id;
    list.push_back(std::move(one));
  }
  return list;
}

void PrintJson(const std::vector<Judged>& judged, bool valid, std::ostream& out) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const Judged& one : judged) {
    nlohmann::ordered_json file = {{"file", one.file}, {"valid", one.loaded.ok()}};
    if (one.loaded.ok()) file["cluster"] = one.loaded.spec->name;
    file["problems"] = ToJson(one.loaded.problems);
    file["warnings"] = ToJson(one.loaded.warnings);
    files.push_back(std::move(file));
  }
  out << Dump({{"valid", valid}, {"files", std::move(files)}}) << "\n";
}

std::string Count(std::size_t number, const std::string& what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

void PrintTable(const std::vector<Judged>& judged, std::ostream& out, std::ostream& err) {
  for (const Judged& one : judged) {
    for (const Problem& problem : one.loaded.problems) err << FormatProblem(problem) << "\n";
    if (one.loaded.ok()) {
      out << one.file << ": valid: cluster " << one.loaded.spec->name << " on "
          << ToString(one.loaded.spec->substrate) << ", "
          << Count(one.loaded.warnings.size(), "warning") << "\n";
    } else {
      err << one.file << ": not valid: " << Count(one.loaded.problems.size(), "problem")
          << (one.loaded.all_told ? "" : ", and perhaps more between fields when these are right")
          << "; nothing was changed\n";
    }
    for (const Problem& warning : one.loaded.warnings)
      out << "warning: " << FormatProblem(warning) << "\n";
  }
}

}  // namespace

int ValidateCommand(std::span<const std::string> files, ValidateFormat format, std::ostream& out,
                    std::ostream& err) {
  std::vector<Judged> judged;
  for (const std::string& file : files) judged.push_back({file, LoadSpecFile(file)});
  FindRepeatedNames(&judged);
  const bool valid =
      !judged.empty() &&
      std::all_of(judged.begin(), judged.end(), [](const Judged& one) { return one.loaded.ok(); });
  switch (format) {
    case ValidateFormat::kTable:
      PrintTable(judged, out, err);
      break;
    case ValidateFormat::kJson:
      PrintJson(judged, valid, out);
      break;
  }
  if (judged.empty())
    err << "validate: no file is named; give one or more, such as /etc/pandora-ha/pandora.yaml\n";
  return valid ? 0 : 2;
}

}  // namespace pandora_ha
