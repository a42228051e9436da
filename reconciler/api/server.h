// The HTTP server: one thread, two doors.
//
// The Unix socket serves everything and only to its owner; TCP serves probes and metrics to
// anybody who reaches it, and so assumes that whoever does is hostile: every size, every wait and
// the number of connections are bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "reconciler/api/answers.h"
#include "reconciler/base/result.h"
#include "reconciler/model/ids.h"

namespace pandora_ha {

struct ApiServerOptions {
  std::string socket_path;     // empty: no Unix socket
  std::optional<Address> tcp;  // none: no TCP; port 0: any free one
  // Per door. Further connections are closed at once.
  int most_connections = 64;
  // For a whole request, and for the wait for the next one on a kept connection.
  Milliseconds read_deadline{5000};
  // For a whole answer.
  Milliseconds write_deadline{10000};
};

inline constexpr std::uint32_t kMostHeaderBytes = 8 * 1024;
inline constexpr std::uint64_t kMostBodyBytes = 64 * 1024;

class ApiServer {
 public:
  // Listens when it returns. The socket is made with mode 0600; one that is left over from a dead
  // process is replaced, one that somebody listens on is kConflict.
  static Result<std::unique_ptr<ApiServer>> Start(const ApiServerOptions& options,
                                                  ApiSources sources);
  // Closes every connection and removes the Unix socket.
  ~ApiServer();

  // 0 without TCP.
  std::uint16_t tcp_port() const;

 private:
  struct Parts;
  explicit ApiServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace pandora_ha
