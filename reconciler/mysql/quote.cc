#include "reconciler/mysql/quote.h"

namespace pandora_ha {
namespace {

bool Allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '$';
}

}  // namespace

std::string QuoteLiteral(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    switch (c) {
      case '\0':
        quoted += "\\0";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\x1a':
        quoted += "\\Z";
        break;
      case '\'':
      case '"':
      case '\\':
        quoted += '\\';
        quoted += c;
        break;
      default:
        quoted += c;
    }
  }
  return quoted + "'";
}

Result<std::string> QuoteIdentifier(std::string_view name) {
  bool good = !name.empty() && name.size() <= 64;
  for (const char c : name) good = good && Allowed(c);
  if (!good) {
    return Error{ErrorCode::kInvalid, "the name " + QuoteLiteral(name) +
                                          " cannot be used in the database: use 1 to 64 letters, "
                                          "digits, '_', '-' or '$'"};
  }
  return "`" + std::string(name) + "`";
}

Result<std::string> QuoteGrantSchema(std::string_view name) {
  PHA_ASSIGN_OR_RETURN(const std::string quoted, QuoteIdentifier(name));
  std::string escaped;
  for (const char c : quoted) {
    if (c == '_') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace pandora_ha
