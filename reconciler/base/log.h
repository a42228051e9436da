// The program's own log: one line an event, key=value, on stderr (the journal keeps it).
//
// Thread-safe. Lines never hold a Secret, and values are quoted, so that nothing a peer sends can
// forge a line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace pandora_ha {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogField = std::pair<std::string_view, std::string>;

// `message` is a whole sentence: what happened, where, what to do.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// Default: kInfo.
void SetLogLevel(LogLevel level);

}  // namespace pandora_ha
