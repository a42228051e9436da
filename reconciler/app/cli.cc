#include "reconciler/app/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>

#include "reconciler/app/verbs.h"
#include "reconciler/base/log.h"

namespace pandora_ha {
namespace {

const std::map<std::string, OutputForm> kForms = {{"table", OutputForm::kTable},
                                                  {"wide", OutputForm::kWide},
                                                  {"json", OutputForm::kJson},
                                                  {"yaml", OutputForm::kYaml}};

void AddForm(CLI::App* verb, std::shared_ptr<OutputForm> form) {
  verb->add_option_function<std::string>(
          "-o,--output",
          [form](const std::string& word) {
            const auto found = kForms.find(word);
            if (found == kForms.end())
              throw CLI::ValidationError("--output must be table, wide, json or yaml");
            *form = found->second;
          },
          "table, wide, json or yaml")
      ->default_str("table");
}

std::shared_ptr<AskOptions> AddQuestion(CLI::App* verb) {
  auto options = std::make_shared<AskOptions>();
  options->style = StyleFor(STDOUT_FILENO);
  verb->add_option("--socket", options->socket_path, "The manager's socket")->capture_default_str();
  verb->add_option("--cluster", options->cluster, "Which cluster (default: the only one)");
  verb->add_option_function<int>(
          "--timeout", [options](int seconds) { options->timeout = Seconds(seconds); },
          "Seconds to wait for the manager")
      ->check(CLI::Range(1, 3600))
      ->default_str("5");
  AddForm(verb, std::shared_ptr<OutputForm>(options, &options->form));
  return options;
}

using Question = int (*)(const AskOptions&, std::ostream&, std::ostream&);

void AddAsking(CLI::App& app, const char* name, const char* says, Question question,
               int* exit_code) {
  CLI::App* verb = app.add_subcommand(name, says);
  const auto options = AddQuestion(verb);
  verb->callback(
      [options, question, exit_code] { *exit_code = question(*options, std::cout, std::cerr); });
}

}  // namespace

void AddStatus(CLI::App& app, int* exit_code) {
  AddAsking(app, "status",
            "How the cluster is. Exit: 0 healthy, 3 degraded, 4 no primary, 1 not known",
            StatusVerb, exit_code);
}

void AddTopology(CLI::App& app, int* exit_code) {
  AddAsking(app, "topology", "Who follows whom", TopologyVerb, exit_code);
}

void AddExplain(CLI::App& app, int* exit_code) {
  AddAsking(app, "explain", "Why the manager acts or does not, with every fact it knows",
            ExplainVerb, exit_code);
}

void AddPlan(CLI::App& app, int* exit_code) {
  AddAsking(app, "plan", "What is being done, step by step", PlanVerb, exit_code);
}

void AddHistory(CLI::App& app, int* exit_code) {
  CLI::App* verb = app.add_subcommand("history", "What happened, oldest first");
  const auto options = AddQuestion(verb);
  const auto limit = std::make_shared<std::size_t>(50);
  verb->add_option("--limit", *limit, "How many of the newest events")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->callback([options, limit, exit_code] {
    *exit_code = HistoryVerb(*options, *limit, std::cout, std::cerr);
  });
}

void AddVersion(CLI::App& app, int* exit_code) {
  CLI::App* verb = app.add_subcommand("version", "What this program is made of");
  const auto form = std::make_shared<OutputForm>(OutputForm::kTable);
  AddForm(verb, form);
  verb->callback([form, exit_code] {
    *exit_code = VersionVerb(*form, {{"pandora-ha", PANDORA_HA_VERSION}, {"compiler", __VERSION__}},
                             std::cout);
  });
}

int RunCli(int argc, char** argv) {
  CLI::App app("Keeps a Pandora FMS database writable, replicated and published.", "pandora-ha");
  app.require_subcommand(1);
  int exit_code = kExitHealthy;
  for (const auto add : {AddStatus, AddTopology, AddExplain, AddPlan, AddHistory, AddVersion}) {
    add(app, &exit_code);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const bool asked_for_help = e.get_exit_code() == 0;
    app.exit(e, std::cout, std::cerr);
    return asked_for_help ? kExitHealthy : kExitUsage;
  } catch (const std::exception& e) {
    Log(LogLevel::kError, "The command failed.", {{"error", e.what()}});
    return kExitError;
  }
  return exit_code;
}

}  // namespace pandora_ha
