// A loop of two healthy-looking fresh servers: the first tick wants to make node1 the first
// primary.
#pragma once

#include <gtest/gtest.h>

#include "reconciler/loop/cluster_loop.h"
#include "reconciler/loop/work_queue.h"
#include "tests/support/fake_ports.h"

namespace pandora_ha {

inline Intent Wanted(const std::string& id, Wish wish = Acknowledge{}) {
  Intent intent;
  intent.id = id;
  intent.wish = std::move(wish);
  return intent;
}

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    spec_.name = "test";
    spec_.database.schema = "pandora";
    for (int i = 1; i <= 2; ++i) {
      DatabaseNodeSpec declared;
      declared.name = NodeName("node" + std::to_string(i));
      declared.address = "127.0.0." + std::to_string(i);
      declared.server_id = static_cast<ServerId>(i);
      spec_.database.nodes.push_back(declared);
      auto node = std::make_unique<FakeNode>();
      nodes_.push_back(node.get());
      node->look = [i](Deadline) {
        DatabaseState state;
        state.server_id = static_cast<ServerId>(i);
        state.log_bin = state.gtid_on = state.log_replica_updates = state.durable =
            state.provisioned = true;
        return Look{Contact::kAnswered, "", state};
      };
      workers_.push_back(std::make_unique<NodeWorker>(declared.name, std::move(node), nullptr,
                                                      SystemClock(), Seconds(1), [] {}));
      hands_.nodes[declared.name] = workers_.back().get();
    }
    observer_ = std::make_unique<Observer>(std::vector{workers_[0].get(), workers_[1].get()},
                                           publisher_, SystemClock(), Seconds(1));
    loop_ = std::make_unique<ClusterLoop>(LoopParts{*observer_, hands_, store_, beater_, board_,
                                                    nullptr, [this] { queue_.Wake("test"); }});
  }
  // What still calls the loop goes before it.
  ~LoopTest() override {
    queue_.Remove("test");
    workers_.clear();
  }

  void RunOnTheQueue() {
    queue_.Add("test", [this] { return loop_->Turn(); });
  }
  bool Comes(const std::function<bool()>& condition, Duration within = Seconds(10)) {
    const Deadline deadline(SystemClock(), within);
    while (!condition() && !deadline.passed()) sched_yield();
    return condition();
  }
  std::uint64_t Looks() const {
    const auto last = board_.Last("test");
    return last ? last->counters.looks : 0;
  }

  std::size_t Asked() const { return nodes_[0]->asked.size() + nodes_[1]->asked.size(); }

  ClusterSpec spec_;
  ResolvedCredentials passwords_;
  FakePublisher publisher_;
  FakeLease lease_;
  FakeStore store_;
  Noticeboard board_;
  std::vector<FakeNode*> nodes_;
  WorkQueue queue_{SystemClock()};
  std::vector<std::unique_ptr<NodeWorker>> workers_;
  Hands hands_{spec_, passwords_, {}, {}, publisher_, lease_, SystemClock()};
  Beater beater_{[](const NodeName&) { return std::make_unique<FakeNode>(); }, SystemClock(),
                 Seconds(1)};
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<ClusterLoop> loop_;
};

}  // namespace pandora_ha
