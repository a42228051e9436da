// Runs seeded schedules for a while and reports; exit 0: nothing broke, 1: something did, 2: usage.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "reconciler/base/clock.h"
#include "tests/simulation/simulation.h"

namespace {

using pandora_ha::simulation::KnownBad;
using pandora_ha::simulation::Outcome;
using pandora_ha::simulation::Schedule;
using pandora_ha::simulation::Statistics;

struct Options {
  double seconds = 60;
  std::uint64_t seed = 1;
  std::uint64_t schedules = 0;  // 0: as many as the seconds allow
  std::string world;
  bool trace = false, keep_going = false;
  KnownBad bad;
  std::string replay;  // the options that a replay needs, too
};

int Usage() {
  std::fputs(
      "usage: simulate [--seconds N] [--seed S] [--schedules N] [--world KIND,…] [--trace]\n"
      "                [--keep-going] [--without-fence|--publish-first|--keep-rights|\n"
      "                 "
      "--forget-received|--no-lease|--boots-writable|--skip-apply|--forget-guards]\n",
      stderr);
  return 2;
}

bool Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    bool* flag = word == "--trace"             ? &options->trace
                 : word == "--keep-going"      ? &options->keep_going
                 : word == "--without-fence"   ? &options->bad.without_fence
                 : word == "--publish-first"   ? &options->bad.publish_first
                 : word == "--keep-rights"     ? &options->bad.keep_rights
                 : word == "--forget-received" ? &options->bad.forget_received
                 : word == "--no-lease"        ? &options->bad.no_lease
                 : word == "--boots-writable"  ? &options->bad.boots_writable
                 : word == "--skip-apply"      ? &options->bad.skip_apply
                 : word == "--forget-guards"   ? &options->bad.forget_guards
                                               : nullptr;
    if (flag != nullptr) {
      *flag = true;
      if (word != "--trace" && word != "--keep-going") options->replay += " " + word;
      continue;
    }
    if (value == nullptr) return false;
    ++i;
    if (word == "--seconds") {
      options->seconds = std::strtod(value, nullptr);
    } else if (word == "--seed") {
      options->seed = std::strtoull(value, nullptr, 10);
    } else if (word == "--schedules") {
      options->schedules = std::strtoull(value, nullptr, 10);
    } else if (word == "--world") {
      options->world = value;
      options->replay += " --world " + options->world;
    } else {
      return false;
    }
  }
  return true;
}

void Print(const Statistics& s, double seconds) {
  std::printf(
      "schedules %llu  ticks %llu  decisions %llu  promotions %llu  acknowledged %llu\n",
      static_cast<unsigned long long>(s.schedules), static_cast<unsigned long long>(s.ticks),
      static_cast<unsigned long long>(s.decisions), static_cast<unsigned long long>(s.promotions),
      static_cast<unsigned long long>(s.acknowledged));
  std::printf("distinct (state, first action) pairs %zu  %.0f schedules/s  %.0f decisions/s\n",
              s.pairs.size(), static_cast<double>(s.schedules) / seconds,
              static_cast<double>(s.decisions) / seconds);
  std::printf("faults:");
  for (const auto& [kind, count] : s.faults)
    std::printf(" %s=%llu", kind.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nintents:");
  for (const auto& [what, count] : s.intents)
    std::printf(" %s=%llu", what.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nends:");
  for (const auto& [state, count] : s.ends)
    std::printf("\n  %8llu %s", static_cast<unsigned long long>(count), state.c_str());
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, &options)) return Usage();
  {
    pandora_ha::simulation::WorldKind kind;
    std::string unknown;
    if (!pandora_ha::simulation::KindNamed(options.world, &kind, &unknown)) {
      std::fprintf(stderr, "simulate: no world is called \"%s\".\n", unknown.c_str());
      return 2;
    }
  }
  const auto& clock = pandora_ha::SystemClock();
  const auto start = clock.Now().mono;
  const auto elapsed = [&] {
    return static_cast<double>((clock.Now().mono - start).count()) / 1e6;
  };
  Statistics all;
  std::map<std::string, int> broken;
  for (std::uint64_t i = 0;
       options.schedules == 0 ? elapsed() < options.seconds : i < options.schedules; ++i) {
    const Schedule schedule = pandora_ha::simulation::MakeSchedule(options.seed + i, options.world);
    const Outcome outcome = pandora_ha::simulation::Run(schedule, options.bad, false);
    all.Add(outcome.statistics);
    if (options.trace) {
      for (const auto& line : pandora_ha::simulation::Run(schedule, options.bad, true).trace)
        std::printf("%s\n", line.c_str());
    }
    if (!outcome.broken) continue;
    if (options.keep_going) {
      // Numbers aside, the same sentence is the same failure.
      std::string what = std::to_string(outcome.broken->invariant) + " ";
      for (const char letter : outcome.broken->says.substr(0, 120))
        what += letter >= '0' && letter <= '9' ? '#' : letter;
      if (broken[what]++ == 0)
        std::printf("seed %llu: %d %s\n", static_cast<unsigned long long>(schedule.seed),
                    outcome.broken->invariant, outcome.broken->says.c_str());
      continue;
    }
    Print(all, elapsed());
    std::printf("%s",
                pandora_ha::simulation::Report(schedule, options.bad, options.replay).c_str());
    return 1;
  }
  Print(all, elapsed());
  for (const auto& [what, count] : broken) std::printf("%6d × %s\n", count, what.c_str());
  return broken.empty() ? 0 : 1;
}
