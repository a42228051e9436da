#include "reconciler/app/cli_intents.h"

#include <unistd.h>

#include <iostream>
#include <map>

#include "reconciler/app/ask.h"
#include "reconciler/app/compat.h"
#include "reconciler/app/stop_signals.h"
#include "reconciler/base/environment.h"

namespace pandora_ha {
namespace {

constexpr int kWithoutDeadline = 30;  // seconds that a wish without one is waited for
constexpr int kSpare = 15;            // for the looks before and after
constexpr int kForACopy = 86400;
constexpr int kWithin = 0;  // as long as the wish itself has, and kSpare

const std::map<std::string, OutputForm> kForms = {{"table", OutputForm::kTable},
                                                  {"wide", OutputForm::kWide},
                                                  {"json", OutputForm::kJson},
                                                  {"yaml", OutputForm::kYaml}};

// Nothing when the text is no 90s, 10m, 2h or 7d. At most 30 days.
std::optional<Seconds> ToDuration(const std::string& text) {
  static const std::map<char, int> units = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  if (text.size() < 2 || text.size() > 8) return std::nullopt;
  const auto unit = units.find(text.back());
  const std::string number = text.substr(0, text.size() - 1);
  if (unit == units.end() || number.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const Seconds lasts{std::stoll(number) * unit->second};
  if (lasts < Seconds(1) || lasts > Seconds(30 * 86400)) return std::nullopt;
  return lasts;
}

CLI::Validator DurationForm() {
  return CLI::Validator(
      [](const std::string& text) {
        return ToDuration(text) ? std::string()
                                : "\"" + text + "\" must be 90s, 10m, 2h or 7d; at most 30d";
      },
      "TIME");
}

std::optional<NodeName> NodeOf(const IntentLine& line) {
  if (line.node.empty()) return std::nullopt;
  return NodeName(line.node);
}

// Only now: until then Ctrl-C simply ends the command.
bool Interrupted(Duration wait) {
  HoldStopSignals();
  return WaitForStop(Deadline(SystemClock(), wait));
}

int Go(IntentLine* line, Wish wish, int usual) {
  IntentVerbOptions& options = line->options;
  options.intent.wish = std::move(wish);
  options.intent.within = Seconds(line->within);
  if (usual == kWithin) usual = line->within + kSpare;
  options.ask.timeout = Seconds(line->timeout > 0 ? line->timeout : usual);
  options.ask.style = StyleFor(STDOUT_FILENO);
  options.terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  options.in = &std::cin;
  options.interrupted = Interrupted;
  return IntentVerb(options, std::cout, std::cerr);
}

int GoResync(IntentLine* line) {
  if (!line->compat.empty()) {
    const auto slave = AskSlave(line->options.ask, line->compat[1], line->compat[2]);
    if (!slave.ok()) {
      const int code = Fail(slave.error(), std::cerr);
      return slave.error().code == ErrorCode::kConflict  ? kExitRefused
             : slave.error().code == ErrorCode::kInvalid ? kExitUsage
                                                         : code;
    }
    line->node = slave->text;
  }
  if (line->node.empty()) {
    std::cerr << "pandora-ha: name the NODE whose data is to be made anew. Nothing was done.\n";
    return kExitUsage;
  }
  return Go(line, Resync{NodeName(line->node), line->set_aside}, kForACopy);
}

class Verbs {
 public:
  Verbs(CLI::App& app, IntentLine* line, std::function<int()>* chosen)
      : app_(app), line_(line), chosen_(chosen) {}

  // `wish` is made once the line has been parsed.
  CLI::App* Add(const std::string& name, const std::string& help, Wish (*wish)(const IntentLine&),
                int usual = kWithoutDeadline) {
    CLI::App* verb = app_.add_subcommand(name, help);
    IntentVerbOptions& options = line_->options;
    CLI::Option* reason =
        verb->add_option("--reason", options.intent.reason, "why, for those who look later");
    if (name == "pause") reason->required();
    verb->add_flag("--dry-run", options.dry_run, "only say what would be done");
    verb->add_flag("--wait,!--no-wait", options.wait, "wait until it is over [yes]");
    verb->add_option("--timeout", line_->timeout,
                     "seconds to wait [" +
                         (usual == kWithin ? "--within + " + std::to_string(kSpare)
                                           : std::to_string(usual)) +
                         "]")
        ->check(CLI::Range(1, 7 * kForACopy));
    AddManager(verb, &options.ask);
    AddForm(verb, &options.ask);
    verb->callback([line = line_, chosen = chosen_, wish, usual] {
      *chosen = [line, wish, usual] { return Go(line, wish(*line), usual); };
    });
    return verb;
  }
  void AddYes(CLI::App* verb) {
    verb->add_flag("-y,--yes", line_->options.yes, "do not ask for a confirmation");
  }
  void AddWithin(CLI::App* verb) {
    verb->add_option("--within", line_->within, "seconds after which it is given up and taken back")
        ->capture_default_str()
        ->check(CLI::Range(1, 3600));
  }

  void AddChangesOfPrimary() {
    CLI::App* switchover = Add(
        "switchover", "make another node primary while the present one lives; loses nothing",
        [](const IntentLine& l) -> Wish {
          return Switchover{NodeOf(l), l.end_transactions};
        },
        kWithin);
    switchover->add_option("--to", line_->node, "the next primary [the best candidate]");
    switchover->add_flag("--end-transactions", line_->end_transactions,
                         "end (roll back) transactions that hold it up at its deadline");
    CLI::App* failover = Add(
        "failover", "make another node primary now; refused while the present one is well",
        [](const IntentLine& l) -> Wish {
          return ForcedFailover{NodeOf(l), l.allow_data_loss};
        },
        kWithin);
    failover->add_option("--to", line_->node, "the next primary [the best candidate]");
    failover->add_flag("--allow-data-loss", line_->allow_data_loss,
                       "even when acknowledged rows are lost, or nobody can fence the old primary");
    for (CLI::App* verb : {switchover, failover}) {
      AddYes(verb);
      AddWithin(verb);
    }
  }

  void AddGuards() {
    CLI::App* pause = Add("pause", "keep the manager's hands off the cluster, or off one node",
                          [](const IntentLine& l) -> Wish {
                            return Pause{NodeOf(l), ToDuration(l.lasts)};
                          });
    pause->add_option("NODE", line_->node, "one node only");
    pause->add_option("--for", line_->lasts, "90s, 10m, 2h or 7d [until it is resumed]")
        ->check(DurationForm());
    Add("resume", "end a pause", [](const IntentLine& l) -> Wish {
      return Resume{NodeOf(l)};
    })->add_option("NODE", line_->node, "one node only");
    CLI::App* fence =
        Add("fence", "end a node's server and keep it down", [](const IntentLine& l) -> Wish {
          return Fence{NodeName(l.node), l.even_primary};
        });
    fence->add_option("NODE", line_->node, "whose server")->required();
    fence->add_flag("--even-primary", line_->even_primary,
                    "also when it is the primary; a failover follows");
    AddYes(fence);
    Add("unfence", "let a fenced node's server be started again",
        [](const IntentLine& l) -> Wish { return Unfence{NodeName(l.node)}; })
        ->add_option("NODE", line_->node, "whose server")
        ->required();
    CLI::App* resync = Add(
        "resync", "make a replica's data anew from the primary's",
        [](const IntentLine& l) -> Wish {
          return Resync{NodeName(l.node), l.set_aside};
        },
        kForACopy);
    CLI::Option* node = resync->add_option("NODE", line_->node, "which one");
    resync
        ->add_option(
            "--compat", line_->compat,
            "the arguments of pandora_ha_resync_slave.sh: MASTER must be the primary, CONF "
            "is not read")
        ->expected(3)
        ->type_name("CONF MASTER SLAVE")
        ->excludes(node);
    resync->add_flag(
        "--set-aside", line_->set_aside,
        "also when it has rows of its own or cannot be asked: its data is kept beside");
    resync->callback(
        [line = line_, chosen = chosen_] { *chosen = [line] { return GoResync(line); }; });
    Add("ack", "say that a person has seen the last failover: the next need not wait",
        [](const IntentLine&) -> Wish { return Acknowledge{}; });
  }

 private:
  CLI::App& app_;
  IntentLine* line_;
  std::function<int()>* chosen_;
};

}  // namespace

void AddForm(CLI::App* verb, AskOptions* ask) {
  verb->add_option("-o,--output", ask->form, "table, wide, json or yaml")
      ->transform(CLI::CheckedTransformer(kForms))
      ->option_text("FORM");
}

void AddManager(CLI::App* verb, AskOptions* ask) {
  // Not CLI11's envname(): the verbs share the value, and those that were not asked for would set
  // it again, over the option.
  if (const auto named = GetEnvironment("PANDORA_HA_SOCKET"); named && !named->empty())
    ask->socket_path = *named;
  verb->add_option("--socket", ask->socket_path,
                   "the manager's socket; PANDORA_HA_SOCKET says another default")
      ->capture_default_str();
  verb->add_option(
      "--cluster", ask->cluster,
      "which cluster, when the manager has several; without it, status and topology show all");
}

void AddIntentVerbs(CLI::App& app, IntentLine* line, std::function<int()>* chosen) {
  Verbs verbs(app, line, chosen);
  verbs.AddChangesOfPrimary();
  verbs.AddGuards();
}

}  // namespace pandora_ha
