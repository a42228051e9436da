#include "reconciler/app/rewind_rows.h"

#include "reconciler/app/run_job.h"
#include "reconciler/mysql/rewind.h"
#include "reconciler/substrate/local/rewinder.h"

namespace pandora_ha {
namespace {

constexpr Seconds kConnectWithin{10};

Status RewindAsOrdered(const RewindOrder& order, JobProgress& progress) {
  const JobLogin& login = order.login;
  PHA_ASSIGN_OR_RETURN(const auto node,
                       Session::Connect({login.address, login.user, login.password, login.tls},
                                        Deadline(SystemClock(), kConnectWithin)));
  RewindOptions options;
  options.archive = order.archive;
  options.progress = [&](std::uint64_t done, std::uint64_t all) {
    progress.Tell(static_cast<std::int64_t>(done), static_cast<std::int64_t>(all));
  };
  PHA_ASSIGN_OR_RETURN(const RewindReport report, RewindNode(*node, options));
  return WriteRewindAccount(order.archive,
                            {order.id, static_cast<std::int64_t>(report.transactions),
                             static_cast<std::int64_t>(report.rows)});
}

}  // namespace

int RunRewinder() {
  return RunJob("rewind", &ParseRewindOrder, &RewindAsOrdered);
}

}  // namespace pandora_ha
