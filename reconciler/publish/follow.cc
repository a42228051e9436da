#include "reconciler/publish/follow.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "reconciler/base/log.h"
#include "reconciler/publish/presence.h"
#include "reconciler/publish/sidecar.h"

namespace pandora_ha {
namespace {

constexpr int kReadAgainMilliseconds = 1000;
constexpr int kReadAgainInDrainMilliseconds = 2;
constexpr mode_t kOthersMayWrite = 0002;

}  // namespace

class Follower::Impl {
 public:
  Impl(const std::string& hosts_file, Endpoint& endpoint, const Clock& clock, Descriptor notify,
       Descriptor stop)
      : path_(Split(hosts_file)),
        name_(SidecarName(path_.name)),
        endpoint_(endpoint),
        clock_(clock),
        notify_(std::move(notify)),
        stop_(std::move(stop)),
        thread_([this] { Run(); }) {}

  ~Impl() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }

  std::string Problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

 private:
  void Run() {
    pollfd wait[2] = {{stop_.get(), POLLIN, 0}, {notify_.get(), POLLIN, 0}};
    for (;;) {
      // Watched before it is read, so that no change falls in between; adding a watch again is
      // harmless, and needed when the directory has been replaced.
      inotify_add_watch(notify_.get(), path_.directory.c_str(),
                        IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
      const Status followed = Follow();
      Report(followed.ok() ? "" : followed.error().message);
      const bool draining = done_ && done_->drain;
      const int ready =
          poll(wait, 2, draining ? kReadAgainInDrainMilliseconds : kReadAgainMilliseconds);
      if (ready > 0 && wait[0].revents != 0) return;
      char events[4096];
      while (read(notify_.get(), events, sizeof events) > 0) continue;
    }
  }

  Result<Sidecar> Read() const {
    PHA_ASSIGN_OR_RETURN(const auto directory, OpenDirectory(path_.directory));
    PHA_ASSIGN_OR_RETURN(const auto file, ReadSmallFile(directory, name_));
    const std::string where = path_.directory + "/" + name_;
    if (!file) {
      return Error{ErrorCode::kNotFound, where + " is not there: no manager has published yet."};
    }
    if ((file->rights.mode & kOthersMayWrite) != 0) {
      return Error{ErrorCode::kRefused,
                   where + " can be written by everybody; it is not believed."};
    }
    return ParseSidecar(file->content, where);
  }

  Status Follow() {
    const auto read = Read();
    if (!read.ok() && !done_) return read.error();
    Sidecar sidecar = read.ok() ? *read : *done_;
    if (sidecar.drain && clock_.Now().wall >= sidecar.drain->until) sidecar.drain.reset();
    if (!done_ || *done_ != sidecar) {
      PHA_TRY(Tell(sidecar));
      done_ = sidecar;
    }
    ShowWhetherPresent();
    return read.ok() ? Ok() : Status(read.error());
  }

  // Present while clients may be forwarded: the manager waits for those that a drain has to end.
  void ShowWhetherPresent() {
    const bool idle = done_->withdrawn || done_->drain;
    if (idle && (done_->withdrawn || endpoint_.Statistics().sessions_now == 0)) {
      presence_ = Descriptor();
    } else if (!idle && !presence_.open()) {
      // Without it this endpoint is only cut sooner; the next reading tries again.
      if (auto shown = ShowPresence(path_.directory)) presence_ = *std::move(shown);
    }
  }

  Status Tell(const Sidecar& sidecar) {
    const bool newer = !done_ || done_->primary.epoch <= sidecar.primary.epoch;
    if (sidecar.withdrawn && newer) return endpoint_.Withdraw();
    if (sidecar.drain && newer) {
      const Status begun = endpoint_.Drain(sidecar.drain->grace, Deadline(clock_, {}));
      const bool some_left = !begun.ok() && begun.error().code == ErrorCode::kTimeout;
      return some_left ? Ok() : begun;
    }
    if (sidecar.lease.count() == 0) {
      PHA_TRY(endpoint_.Publish(sidecar.primary));
      return endpoint_.SetLease(Duration::zero());
    }
    PHA_ASSIGN_OR_RETURN(const TimePoint known_at,
                         KnownAt(sidecar, clock_.Now(), "The sidecar in " + path_.directory));
    PHA_TRY(endpoint_.SetLease(sidecar.lease));
    return endpoint_.PublishKnownAt(sidecar.primary, known_at);
  }

  void Report(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (problem == problem_) return;
    problem_ = problem;
    if (!problem.empty())
      Log(LogLevel::kWarning, problem, {{"listen", ToString(endpoint_.listen())}});
  }

  const SplitPath path_;
  const std::string name_;
  Endpoint& endpoint_;
  const Clock& clock_;
  const Descriptor notify_;
  const Descriptor stop_;
  std::optional<Sidecar> done_;  // what the endpoint was told last
  Descriptor presence_;
  mutable std::mutex mutex_;
  std::string problem_;
  std::thread thread_;  // last: it uses all of the above
};

Result<std::unique_ptr<Follower>> Follower::Start(const std::string& hosts_file, Endpoint& endpoint,
                                                  const Clock& clock) {
  Descriptor notify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  Descriptor stop(eventfd(0, EFD_CLOEXEC));
  if (!notify.open() || !stop.open()) {
    return Error{ErrorCode::kIo,
                 std::string("Cannot watch ") + hosts_file + ": " + std::strerror(errno) +
                     ". Raise fs.inotify.max_user_instances or the limit of open files.",
                 errno};
  }
  return std::unique_ptr<Follower>(new Follower(
      std::make_unique<Impl>(hosts_file, endpoint, clock, std::move(notify), std::move(stop))));
}

Follower::Follower(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Follower::~Follower() = default;
std::string Follower::Problem() const {
  return impl_->Problem();
}

}  // namespace pandora_ha
