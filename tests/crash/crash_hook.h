// Strikes this process before, in the middle of, or after a chosen action of a plan: ends it with
// SIGKILL, or freezes it with SIGSTOP until somebody thaws it.
//
// The test program is linked with actions_that_crash.cc in place of reconciler/act/actions.cc: the
// same functions, and a hook around each action. The product knows nothing of it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace pandora_ha::crash {

enum class Where { kBefore, kInside, kAfter };
enum class Blow { kKill, kFreeze };

inline constexpr std::size_t kMostActions = 128;

// Shared by the test and its manager process. Plain numbers in shared memory.
struct Control {
  std::atomic<int> ready{0}, go{0};  // the manager's cluster is whole; the fault may come
  std::atomic<int> armed{0};         // actions are counted from here on
  std::atomic<int> strike_at{-1};    // the n-th action, from 0; -1: none
  std::atomic<Where> where{Where::kBefore};
  std::atomic<Blow> blow{Blow::kKill};
  std::atomic<int> struck{0}, thawed{0};
  std::atomic<std::int64_t> inside_after{0};  // microseconds from the beginning of the action
  std::atomic<int> begun{0}, ended{0};        // how many actions
  // Of each action: its place in the variant Action, and how long it took in microseconds.
  std::array<std::atomic<int>, kMostActions> kind{};
  std::array<std::atomic<std::int64_t>, kMostActions> took{};
};

// Null: actions are carried out as always.
extern Control* control;

}  // namespace pandora_ha::crash
