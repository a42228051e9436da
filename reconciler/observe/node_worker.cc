#include "reconciler/observe/node_worker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace pandora_ha {

struct NodeWorker::Job {
  Task task;
  Deadline deadline;
  bool begun = false;
  bool abandoned = false;
  std::optional<Status> result;
};

NodeWorker::NodeWorker(NodeName name, std::unique_ptr<DatabaseNode> database, Host* host,
                       const Clock& clock, Duration look_timeout, std::function<void()> on_news)
    : name_(std::move(name)),
      database_(std::move(database)),
      host_(host),
      clock_(clock),
      look_timeout_(look_timeout),
      on_news_(std::move(on_news)),
      interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  seen_.name = name_;
  thread_ = std::thread([this] { Loop(); });
}

NodeWorker::~NodeWorker() {
  Stop();
  thread_.join();
  close(interrupt_);
}

void NodeWorker::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Interrupt();
}

void NodeWorker::Interrupt() const {
  const std::uint64_t one = 1;
  // A full counter already interrupts.
  [[maybe_unused]] const auto written = write(interrupt_, &one, sizeof one);
}

Status NodeWorker::Run(Task task, Deadline deadline) {
  auto job = std::make_shared<Job>(Job{std::move(task), deadline, false, false, std::nullopt});
  std::unique_lock lock(mutex_);
  jobs_.push_back(job);
  Interrupt();
  while (!job->result) {
    // A task that has begun keeps its own deadline; a little more lets it report.
    const Duration left = deadline.left() + (job->begun ? Milliseconds(200) : Milliseconds(0));
    if (changed_.wait_for(lock, left) == std::cv_status::timeout && !job->result &&
        deadline.passed()) {
      job->abandoned = true;
      return Error{ErrorCode::kTimeout,
                   "Timed out " + std::string(job->begun ? "at" : "waiting for the connection to") +
                       " " + name_.text + "; the outcome is unknown."};
    }
  }
  return *job->result;
}

void NodeWorker::RequestLook(std::function<void()> over) {
  const std::lock_guard lock(mutex_);
  given_up_ = false;
  over_ = std::move(over);
  if (looking_) return;
  look_wanted_ = true;
  Interrupt();
}

bool NodeWorker::WaitForLook(Deadline deadline) {
  std::unique_lock lock(mutex_);
  given_up_ = !changed_.wait_for(lock, deadline.left(), [&] { return !look_wanted_ && !looking_; });
  return !given_up_;
}

bool NodeWorker::Looking() const {
  const std::lock_guard lock(mutex_);
  return look_wanted_ || looking_;
}

bool NodeWorker::GiveUpLook() {
  const std::lock_guard lock(mutex_);
  given_up_ = look_wanted_ || looking_;
  return !given_up_;
}

bool NodeWorker::unanswered() const {
  const std::lock_guard lock(mutex_);
  return seen_.contact != Contact::kAnswered && seen_.contact != Contact::kNeverTried;
}

DatabaseSeen NodeWorker::Seen() const {
  DatabaseSeen seen;
  {
    const std::lock_guard lock(mutex_);
    seen = seen_;
    if (given_up_ && (looking_ || look_wanted_) && seen.contact == Contact::kAnswered) {
      // What it said before is not what it says now, and no failure is counted before the question
      // is over.
      seen.contact = Contact::kSilent;
      seen.contact_error = "it has not answered yet";
      seen.state = pandora_ha::Seen<DatabaseState>::Unknown(seen.contact_error, clock_.Now().mono);
    }
  }
  if (host_ != nullptr) {
    seen.process = host_->Process();
    seen.can_fence = host_->CanFence();
  }
  return seen;
}

void NodeWorker::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!jobs_.empty()) {
      const auto job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      RunJob(job);
      lock.lock();
    } else if (look_wanted_) {
      look_wanted_ = false;
      looking_ = true;
      lock.unlock();
      Look();
      lock.lock();
    } else {
      Sleep(lock);
    }
  }
  for (const auto& job : jobs_)
    job->result = Error{ErrorCode::kInternal, "The manager is stopping."};
  changed_.notify_all();
}

void NodeWorker::RunJob(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard lock(mutex_);
    if (job->abandoned) return;
    job->begun = true;
  }
  Status result = job->task(*database_, job->deadline);
  const std::lock_guard lock(mutex_);
  job->result = std::move(result);
  changed_.notify_all();
}

void NodeWorker::Look() {
  const TimePoint began = clock_.Now().mono;
  const auto process = host_ == nullptr ? pandora_ha::Seen<ProcessState>() : host_->Process();
  pandora_ha::Look look;
  if (process.known() && process->phase != ProcessState::Phase::kRunning) {
    // Its owner says that there is nobody to ask; a port that answers there would be somebody else.
    look = {Contact::kRefusedPort, "its process is not running", std::nullopt};
    database_->Disconnect();
  } else {
    look = database_->Observe(Deadline(clock_, look_timeout_.load()));
  }
  bool tell = false;
  std::function<void()> over;
  {
    const std::lock_guard lock(mutex_);
    looking_ = false;
    const bool answered = look.contact == Contact::kAnswered;
    // A server that is merely down must not keep the loop awake; a silent one takes a whole timeout
    // each time, and each time is one of the declared looks.
    tell = given_up_ && (look.contact != seen_.contact || look.contact == Contact::kSilent);
    seen_.contact = look.contact;
    seen_.contact_error = look.error;
    ++seen_.attempts;
    if (answered) {
      seen_.unanswered_since.reset();
      seen_.state = pandora_ha::Seen<DatabaseState>::Known(std::move(*look.state), began);
    } else {
      if (!seen_.unanswered_since) seen_.unanswered_since = began;
      seen_.state = pandora_ha::Seen<DatabaseState>::Unknown(look.error, began);
    }
    over = std::exchange(over_, {});
    changed_.notify_all();
  }
  if (over) over();
  if (tell) on_news_();
}

// Until something is asked or the connection breaks.
void NodeWorker::Sleep(std::unique_lock<std::mutex>& lock) {
  const int connection = database_->WatchDescriptor();
  lock.unlock();
  pollfd waits[2] = {{interrupt_, POLLIN, 0}, {connection, POLLRDHUP, 0}};
  poll(waits, 2, -1);
  std::uint64_t count = 0;
  [[maybe_unused]] const auto drained = read(interrupt_, &count, sizeof count);
  const bool broken = connection >= 0 && (waits[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  if (broken) {
    database_->Disconnect();
    on_news_();
  }
  lock.lock();
}

}  // namespace pandora_ha
