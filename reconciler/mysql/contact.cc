#include "reconciler/mysql/contact.h"

#include <cerrno>

namespace pandora_ha {
namespace {

// Numbers of the protocol, the same in both libraries and on both families of servers.
constexpr int kTooManyConnections = 1040;
constexpr int kDbAccessDenied = 1044;
constexpr int kAccessDenied = 1045;
constexpr int kShutdownInProgress = 1053;
constexpr int kLockWaitTimeout = 1205;
constexpr int kTooManyUserConnections = 1203;
constexpr int kUserLimitReached = 1226;
constexpr int kQueryInterrupted = 1317;
constexpr int kConnectionKilled = 1927;
constexpr int kStatementTimeout = 1969;
constexpr int kOptionPreventsStatement = 1290;
constexpr int kSocketConnect = 2002;
constexpr int kHostConnect = 2003;
constexpr int kUnknownHost = 2005;
constexpr int kServerGone = 2006;
constexpr int kHandshake = 2012;
constexpr int kServerLost = 2013;
constexpr int kTls = 2026;
constexpr int kServerLostExtended = 2055;
constexpr int kClientInteractionTimeout = 4031;

Contact ContactOfSystemError(int number) {
  switch (number) {
    case ECONNREFUSED:
      return Contact::kRefusedPort;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
      return Contact::kUnroutable;
    case ETIMEDOUT:
      return Contact::kSilent;
    default:
      return Contact::kHungUp;
  }
}

}  // namespace

Contact ContactOf(const Error& error) {
  if (error.code == ErrorCode::kTimeout) return Contact::kSilent;
  if (error.number > 0 && error.number < 1000) return ContactOfSystemError(error.number);
  switch (error.number) {
    case kTooManyConnections:
    case kTooManyUserConnections:
    case kUserLimitReached:
      return Contact::kBusy;
    case kTls:
      return Contact::kTlsRefused;
    case kSocketConnect:
    case kHostConnect:
      return Contact::kRefusedPort;
    case kUnknownHost:
      return Contact::kUnroutable;
    case kServerGone:
    case kHandshake:
    case kServerLost:
    case kServerLostExtended:
    case kShutdownInProgress:
    case kConnectionKilled:
    case kClientInteractionTimeout:
      return Contact::kHungUp;
    default:
      return error.code == ErrorCode::kUnreachable ? Contact::kHungUp : Contact::kDenied;
  }
}

ErrorCode CodeOf(int number) {
  switch (number) {
    case kDbAccessDenied:
    case kAccessDenied:
    case kTls:
      return ErrorCode::kDenied;
    case kLockWaitTimeout:
    case kStatementTimeout:
    case kQueryInterrupted:
      return ErrorCode::kConflict;
    case kOptionPreventsStatement:
      return ErrorCode::kRefused;
    case kShutdownInProgress:
    case kConnectionKilled:
    case kTooManyConnections:
    case kTooManyUserConnections:
    case kClientInteractionTimeout:
      return ErrorCode::kUnreachable;
    default:
      break;
  }
  // 2000 to 2999 are the client library's own; those that it uses for authentication mean a
  // refusal.
  if (number == 2059 || number == 2061) return ErrorCode::kDenied;
  if (number < 1000 || (number >= 2000 && number < 3000)) return ErrorCode::kUnreachable;
  return ErrorCode::kRefused;
}

}  // namespace pandora_ha
