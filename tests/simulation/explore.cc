// Explores a small world and reports. Exit 0: everything within the bounds held; 1: something
// broke, or the bounds were not reached in time; 2: usage.
#include <cstdio>
#include <cstdlib>

#include "reconciler/base/clock.h"
#include "tests/simulation/exhaustive.h"

namespace {

using pandora_ha::simulation::Bounds;
using pandora_ha::simulation::Exploration;
using pandora_ha::simulation::KindNamed;
using pandora_ha::simulation::KnownBad;
using pandora_ha::simulation::kSmall;
using pandora_ha::simulation::WorldKind;

int Usage() {
  std::fputs(
      "usage: explore [--faults N] [--depth N] [--seconds N] [--states N] [--world KIND,…]\n"
      "               [--without-fence]\n",
      stderr);
  return 2;
}

struct Options {
  Bounds bounds;
  double seconds = 600;
  WorldKind kind;
  KnownBad bad;
};

bool Parse(int argc, char** argv, Options* options) {
  std::string unknown;
  KindNamed("consistency,local,semisync,mariadb,two,managers", &options->kind, &unknown);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--without-fence") {
      options->bad.without_fence = true;
      continue;
    }
    const char* value = ++i < argc ? argv[i] : nullptr;
    if (value == nullptr) return false;
    if (word == "--faults") {
      options->bounds.faults = std::atoi(value);
    } else if (word == "--depth") {
      options->bounds.depth = std::atoi(value);
    } else if (word == "--states") {
      options->bounds.most_states = std::strtoull(value, nullptr, 10);
    } else if (word == "--seconds") {
      options->seconds = std::strtod(value, nullptr);
    } else if (word != "--world" || !KindNamed(value, &options->kind, &unknown)) {
      return false;
    }
  }
  return options->kind.nodes == kSmall;
}

void Print(const Exploration& found, const Options& options, double seconds) {
  std::printf(
      "world %s\nstates %llu  transitions %llu  every way of %d events%s, up to %d faults  %.1f "
      "s\n",
      Describe(options.kind).c_str(), static_cast<unsigned long long>(found.states),
      static_cast<unsigned long long>(found.transitions), found.depth,
      found.closed ? " (there are no longer ones with anything new)" : "", options.bounds.faults,
      seconds);
  for (const auto& [faults, count] : found.by_faults)
    std::printf("  %8llu states after %d faults\n", static_cast<unsigned long long>(count), faults);
  for (const auto& [state, count] : found.rests)
    std::printf("  %8llu came to rest as %s\n", static_cast<unsigned long long>(count),
                state.c_str());
  if (!found.broken) return;
  std::printf("broken: invariant %d: %s\nthe shortest way:\n", found.broken->invariant,
              found.broken->says.c_str());
  for (const std::string& line : found.trace) std::printf("  %s\n", line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, &options)) return Usage();
  const auto& clock = pandora_ha::SystemClock();
  const auto start = clock.Now().mono;
  const auto elapsed = [&] {
    return static_cast<double>((clock.Now().mono - start).count()) / 1e6;
  };
  const Exploration found = pandora_ha::simulation::Explore(
      options.kind, options.bad, options.bounds, [&] { return elapsed() > options.seconds; });
  Print(found, options, elapsed());
  const bool done =
      found.closed || (options.bounds.depth > 0 && found.depth >= options.bounds.depth);
  return found.broken || !done ? 1 : 0;
}
