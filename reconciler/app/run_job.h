// The process of a supervisor's job: its order comes on standard input, its words go to standard
// error (DIRECTORY/NAME.log), and its result lies where the supervisor looks for it.
#pragma once

#include <sys/stat.h>

#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "reconciler/base/result.h"
#include "reconciler/substrate/local/job.h"

namespace pandora_ha {

// Returns the process's exit code.
template <class Order>
int RunJob(const char* name, Result<Order> (*parse)(std::string_view),
           Status (*work)(const Order&, JobProgress&)) {
  umask(0077);
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const Result<Order> order = parse(text);
  if (!order.ok()) {
    std::cerr << order.error().message << std::endl;
    return 1;
  }
  JobProgress progress(name, order->directory);
  const Status done = work(*order, progress);
  if (done.ok()) return 0;
  progress.Fail(done.error());
  std::cerr << done.error().message << std::endl;
  return 1;
}

}  // namespace pandora_ha
