// Text into SQL, for the statements that take no placeholders.
#pragma once

#include <string>
#include <string_view>

#include "reconciler/base/result.h"

namespace pandora_ha {

// 'text', safe inside any statement of a Session, whose sql_mode is always empty (backslash escapes
// in force, ANSI_QUOTES off) and whose character set is utf8mb4.
std::string QuoteLiteral(std::string_view text);

// `name`. Only letters, digits, '_', '-' and '$', 1 to 64 of them, are taken; anything else is
// kInvalid, because no schema or account that we manage needs it.
Result<std::string> QuoteIdentifier(std::string_view name);

// As QuoteIdentifier, for the schema of a GRANT, where '_' would stand for any one character.
Result<std::string> QuoteGrantSchema(std::string_view name);

}  // namespace pandora_ha
