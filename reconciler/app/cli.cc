#include "reconciler/app/cli.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "reconciler/app/ask.h"
#include "reconciler/app/cli_intents.h"
#include "reconciler/app/demo.h"
#include "reconciler/app/merge_rows.h"
#include "reconciler/app/merge_verb.h"
#include "reconciler/app/rewind_rows.h"
#include "reconciler/app/run_command.h"
#include "reconciler/app/stop_signals.h"
#include "reconciler/app/text.h"
#include "reconciler/app/verbs.h"
#include "reconciler/app/verify_rows.h"
#include "reconciler/app/verify_verb.h"
#include "reconciler/app/version.h"
#include "reconciler/model/json.h"
#include "reconciler/spec/problem.h"
#include "reconciler/spec/validate_command.h"
#include "reconciler/substrate/local/archiver.h"
#include "reconciler/substrate/local/copier.h"
#include "reconciler/substrate/local/supervisor.h"

namespace pandora_ha {
namespace {

// What a verb that was chosen does; empty until the line has been parsed.
using Chosen = std::function<int()>;

CLI::Validator MomentForm() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        if (ReadMoment(text)) return "";
        return "\"" + text + "\" is no moment; say 2026-11-22, \"2026-11-22 17:03\" or " +
               "2026-11-22T17:03:01Z, in UTC";
      },
      "MOMENT");
}

// HOST:PORT; the host may be an IPv6 address in brackets.
CLI::Validator AddressForm() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        const auto colon = text.rfind(':');
        const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
        const bool number = !port.empty() && port.size() <= 5 &&
                            port.find_first_not_of("0123456789") == std::string::npos;
        if (colon == 0 || !number || std::stoi(port) > 65535) {
          return "\"" + text + "\" must be HOST:PORT, such as 127.0.0.1:8480";
        }
        return "";
      },
      "HOST:PORT");
}

// REQUIRES: AddressForm() accepted the text.
Address ToAddress(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return {host, static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)))};
}

struct Line {
  AskOptions ask;
  int timeout = 5;
  std::size_t limit = 50;
  std::vector<std::string> files;
  RunOptions run;
  std::string listen;
  EndpointCommandOptions endpoint;
  std::int64_t hold = 10;
  DemoOptions demo;
  std::string directory;
  IntentLine intents;
  MergeVerbOptions merge;
  VerifyVerbOptions verify;
  Chosen chosen;
};

CLI::App* AddAsking(CLI::App& app, Line* line, const std::string& name, const std::string& help,
                    int (*verb)(const AskOptions&, std::ostream&, std::ostream&)) {
  CLI::App* added = app.add_subcommand(name, help);
  AddManager(added, &line->ask);
  added->add_option("--timeout", line->timeout, "seconds to wait for the manager")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  AddForm(added, &line->ask);
  if (verb != nullptr) {
    added->callback([line, verb] {
      line->chosen = [line, verb] { return verb(line->ask, std::cout, std::cerr); };
    });
  }
  return added;
}

void AddQuestions(CLI::App& app, Line* line) {
  AddAsking(app, line, "status",
            "how the cluster is; exit code 0 healthy, 3 degraded, 4 no primary", StatusVerb);
  AddAsking(app, line, "topology", "who follows whom", TopologyVerb);
  AddAsking(app, line, "explain", "why something was done, or was not", ExplainVerb);
  AddAsking(app, line, "plan", "what would be done now", PlanVerb);
  CLI::App* history = AddAsking(app, line, "history", "what happened, the newest last", nullptr);
  history->add_option("-n,--limit", line->limit, "how many events")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  history->callback([line] {
    line->chosen = [line] { return HistoryVerb(line->ask, line->limit, std::cout, std::cerr); };
  });
}

void AddValidate(CLI::App& app, Line* line) {
  CLI::App* verb = app.add_subcommand("validate", "judge documents; changes nothing");
  verb->add_option("FILE", line->files, "documents")->required();
  AddForm(verb, &line->ask);
  verb->callback([line] {
    line->chosen = [line] {
      const OutputForm form = line->ask.form;
      if (form != OutputForm::kYaml) {
        return ValidateCommand(
            line->files, form == OutputForm::kJson ? ValidateFormat::kJson : ValidateFormat::kTable,
            std::cout, std::cerr);
      }
      std::ostringstream json;
      const int code = ValidateCommand(line->files, ValidateFormat::kJson, json, std::cerr);
      PrintDocument(line->ask, *ParseJson(json.str()), "", std::cout);
      return code;
    };
  });
}

void AddRun(CLI::App& app, Line* line) {
  CLI::App* verb = app.add_subcommand("run", "keep clusters as their documents declare them");
  verb->add_option("--config", line->run.config, "the document, or a directory of documents")
      ->required();
  verb->add_option("--state", line->run.state_directory,
                   "memory and history [/var/lib/pandora-ha/CLUSTER]; of a directory of documents: "
                   "DIRECTORY/CLUSTER");
  verb->add_option("--socket", line->run.socket_path, "the JSON API [/run/pandora-ha/api.sock]");
  line->listen = "127.0.0.1:8480";
  verb->add_option("--listen", line->listen, "probes and metrics")
      ->capture_default_str()
      ->check(AddressForm());
  verb->callback([line] {
    line->chosen = [line] {
      HoldStopSignals();
      line->run.listen = ToAddress(line->listen);
      return RunCommand(line->run, std::cerr);
    };
  });
}

void AddEndpoint(CLI::App& app, Line* line) {
  CLI::App* verb = app.add_subcommand(
      "endpoint",
      "a writer endpoint of its own: an address that never changes, in front of the primary");
  verb->add_option("--hosts-file", line->endpoint.hosts_file,
                   "the pandora_ha_hosts.conf whose sidecar is followed")
      ->required();
  verb->add_option("--listen", line->listen, "where clients connect")
      ->required()
      ->check(AddressForm());
  verb->add_option("--hold", line->hold, "seconds that a new connection waits for a primary")
      ->capture_default_str()
      ->check(CLI::Range(0, 3600));
  verb->callback([line] {
    line->chosen = [line] {
      HoldStopSignals();
      line->endpoint.listen = ToAddress(line->listen);
      line->endpoint.hold = Seconds(line->hold);
      return EndpointCommand(line->endpoint, std::cerr);
    };
  });
}

void AddDemo(CLI::App& app, Line* line) {
  CLI::App* verb =
      app.add_subcommand("demo", "a pair of real servers on this machine, with a writer, to break");
  static const std::map<std::string, Flavor> kFlavors = {{"mariadb", Flavor::kMariaDb},
                                                         {"mysql", Flavor::kMySql}};
  verb->add_option("--flavor", line->demo.flavor, "mariadb or mysql")
      ->transform(CLI::CheckedTransformer(kFlavors))
      ->option_text("FLAVOR");
  verb->add_option("--server-root", line->demo.server_root,
                   "a root folder with the server, or its binary [the installed one]");
  line->demo.directory = "pandora-ha-demo";
  verb->add_option("--directory", line->demo.directory, "everything that it makes")
      ->capture_default_str();
  verb->add_flag("--keep", line->demo.keep, "leave the data at the end");
  verb->add_flag("--stop", line->demo.stop, "only end what an earlier one left running");
  verb->callback([line] {
    line->chosen = [line] {
      HoldStopSignals();
      return DemoCommand(line->demo, std::cout, std::cerr);
    };
  });
}

void AddMerge(CLI::App& app, Line* line) {
  CLI::App* verb = app.add_subcommand(
      "merge", "bring what a diverged node committed by itself into the primary");
  MergeVerbOptions& merge = line->merge;
  verb->add_option("NODE", merge.node, "whose rows; they must be archived")->required();
  verb->add_option("--config", merge.config, "the cluster's document")->required();
  verb->add_option("--archive", merge.archive, "another archive than the node's last one");
  verb->add_option("--since", merge.since, "only data and events of this moment and later (UTC)")
      ->check(MomentForm());
  verb->add_option("--until", merge.until, "only data and events before this moment (UTC)")
      ->check(MomentForm());
  verb->add_flag("--dry-run", merge.dry_run, "only tell what would be merged");
  verb->add_flag("-y,--yes", merge.yes, "do not ask for a confirmation");
  verb->add_option("--timeout", line->timeout, "seconds for a question or a transaction")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  AddManager(verb, &merge.ask);
  AddForm(verb, &merge.ask);
  verb->callback([line] {
    line->chosen = [line] {
      line->merge.ask.timeout = Seconds(line->timeout);
      line->merge.ask.style = StyleFor(STDOUT_FILENO);
      line->merge.terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
      line->merge.in = &std::cin;
      return MergeVerb(line->merge, std::cout, std::cerr);
    };
  });
}

void AddVerify(CLI::App& app, Line* line) {
  CLI::App* verb =
      app.add_subcommand("verify", "compare a node's rows with the primary's, while both serve");
  VerifyVerbOptions& verify = line->verify;
  verb->add_option("NODE", verify.node, "that is compared with the primary")->required();
  verb->add_option("--config", verify.config, "the cluster's document")->required();
  verb->add_option("--table", verify.tables, "only this one; may be given several times")
      ->allow_extra_args(false);
  verb->add_option("--timeout", line->timeout, "seconds for a connection or a piece of a table")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  AddManager(verb, &verify.ask);
  AddForm(verb, &verify.ask);
  verb->callback([line] {
    line->chosen = [line] {
      line->verify.ask.timeout = Seconds(line->timeout);
      line->verify.ask.style = StyleFor(STDOUT_FILENO);
      line->verify.terminal = isatty(STDERR_FILENO) == 1;
      return VerifyVerb(line->verify, std::cout, std::cerr);
    };
  });
}

void AddSmall(CLI::App& app, Line* line) {
  CLI::App* version = app.add_subcommand("version", "what this program is made of");
  AddForm(version, &line->ask);
  version->callback([line] {
    line->chosen = [line] { return VersionVerb(line->ask.form, VersionParts(), std::cout); };
  });
  // Started by a manager for each server of `substrate: local`; see substrate/local/supervisor.h.
  CLI::App* supervise =
      app.add_subcommand("supervise", "own one database server's process")->group("");
  supervise->add_option("DIRECTORY", line->directory, "the node's own")->required();
  supervise->callback([line] {
    line->chosen = [line] { return RunSupervisor({.directory = line->directory, .detach = true}); };
  });
  // Started by a supervisor; see substrate/local/copier.h, job.h. The option only names the
  // process.
  CLI::App* copy =
      app.add_subcommand("copy", "make a data directory from another node's")->group("");
  copy->add_option("--datadir", line->directory, "what is made")->required();
  copy->callback([line] { line->chosen = [] { return RunCopier(); }; });
  CLI::App* archive =
      app.add_subcommand("archive-job", "keep what a node committed by itself")->group("");
  archive->add_option("--archive-of", line->directory, "the node's own")->required();
  archive->callback([line] { line->chosen = [] { return RunArchiver(); }; });
  CLI::App* merge = app.add_subcommand("merge-job", "bring an archive into the primary")->group("");
  merge->add_option("--merge-of", line->directory, "the node's own")->required();
  merge->callback([line] { line->chosen = [] { return RunMerger(); }; });
  CLI::App* rewind =
      app.add_subcommand("rewind-job", "take back what a node committed by itself")->group("");
  rewind->add_option("--rewind-of", line->directory, "the node's own")->required();
  rewind->callback([line] { line->chosen = [] { return RunRewinder(); }; });
  CLI::App* verify =
      app.add_subcommand("verify-job", "compare a node's rows with the primary's")->group("");
  verify->add_option("--verify-of", line->directory, "the node's own")->required();
  verify->callback([line] { line->chosen = [] { return RunVerifier(); }; });
}

// CLI11 only says that a command is required.
bool KnowsCommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return true;
  std::string known;
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() == argv[1]) return true;
    if (verb->get_group().empty()) continue;
    known += " " + verb->get_name();
    names.push_back(verb->get_name());
  }
  const std::string nearest = Nearest(argv[1], names);
  std::cerr << "pandora-ha: there is no command '" << argv[1] << "'"
            << (nearest.empty() ? "" : " (did you mean '" + nearest + "'?)") << "; the commands are"
            << known << "\n";
  return false;
}

}  // namespace

int RunCli(int argc, char** argv) {
  CLI::App app{"Keeps a Pandora FMS database writable, replicated and published.", "pandora-ha"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "help of every verb");
  app.set_version_flag(
      "--version", [] { return VersionParts().front().second; },
      "the version; `pandora-ha version` tells of all parts");
  Line line;
  line.ask.style = StyleFor(STDOUT_FILENO);
  AddQuestions(app, &line);
  AddIntentVerbs(app, &line.intents, &line.chosen);
  AddValidate(app, &line);
  AddRun(app, &line);
  AddEndpoint(app, &line);
  AddDemo(app, &line);
  AddMerge(app, &line);
  AddVerify(app, &line);
  AddSmall(app, &line);
  if (!KnowsCommand(app, argc, argv)) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // prints the help that was asked for, or what is wrong
    return code == 0 ? kExitHealthy : kExitUsage;
  }
  line.ask.timeout = Seconds(line.timeout);
  try {
    return line.chosen();
  } catch (const std::exception& error) {
    std::cerr << "pandora-ha: the command failed: " << error.what() << "\n";
    return kExitError;
  }
}

}  // namespace pandora_ha
