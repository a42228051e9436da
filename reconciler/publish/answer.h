// How far a MySQL session has come, read off the edges of what the server has said since the client
// spoke last: its first and last bytes. Nothing is parsed on the way, so it costs nothing while
// bytes flow. Internal to reconciler/publish.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pandora_ha {

class Answer {
 public:
  // Where the session stands, when nothing follows.
  enum class Place {
    kBetween,  // the statement is answered and no transaction is open
    kBusy,     // in a statement, its long answer or a transaction: somebody goes on
    kHidden,   // TLS: only silence tells
    kUnclear,  // handshake, a part of a short answer, or a packet that is not understood
  };

  // The client speaks: what the server has said is over. `data` is not empty.
  void ClientSaid(std::string_view data);
  // `data` is not empty.
  void ServerSaid(std::string_view data);
  Place Now() const;

 private:
  using Status = std::uint16_t;  // the flags of an OK or EOF packet

  std::string_view head() const;
  std::string_view tail() const;
  bool IsOnePacket() const;
  bool IsNeverAnswered(std::string_view data) const;
  std::optional<Status> LastStatus() const;

  std::size_t size_ = 0;         // 0: the client's turn is not answered yet
  std::array<char, 32> head_{};  // the first bytes of the answer
  std::array<char, 16> tail_{};  // the last ones, at the end of the array
  unsigned char command_ = 0;    // of the client's turn; 0: none yet
  bool introduced_ = false;      // the client has spoken at all
  bool authenticated_ = false;   // one turn after the greeting was answered with OK
  bool transaction_ = false;     // open when the client began its turn
};

}  // namespace pandora_ha
