// The values of one row as a binary log holds them.
//
// Source of the formats: the servers' own "Binary log event" and "Data type storage" documentation.
// That they are read as the servers mean them is tested against what both servers select.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "reconciler/base/result.h"
#include "reconciler/binlog/cursor.h"

namespace pandora_ha {

// A column as a table map describes it: the server's own number of the type, and what belongs to
// it (lengths, precision). Whether a number is unsigned is the table's business, not told here.
struct ColumnType {
  std::uint8_t type = 0;
  std::uint16_t meta = 0;

  bool operator==(const ColumnType&) const = default;
};

struct Null {
  bool operator==(const Null&) const = default;
};

// Whole numbers, ENUM (the element's number), SET and BIT.
struct Integer {
  std::uint64_t bits = 0;
  int bytes = 8;  // the column's width

  std::int64_t Signed() const;
  std::uint64_t Unsigned() const { return bits; }
  bool operator==(const Integer&) const = default;
};

// Bytes that only the server can read: JSON, GEOMETRY, VECTOR, compressed columns.
struct Opaque {
  std::string bytes;
  bool operator==(const Opaque&) const = default;
};

// Texts and blobs are the column's bytes, in the column's character set. DECIMAL, DATE, TIME and
// DATETIME are texts as the server prints them; a TIMESTAMP is seconds of UTC, with a fraction when
// it has one.
using Value = std::variant<Null, Integer, double, std::string, Opaque>;

// None: the row image leaves the column out.
using Row = std::vector<std::optional<Value>>;

// Reads the types' metadata block of a table map. kInvalid: the bytes end too early, or a type is
// not known.
Result<std::vector<ColumnType>> ReadColumnTypes(std::string_view types, Cursor meta);

// One value that is not NULL. kUnsupported names a type that this version does not know.
Result<Value> ReadValue(Cursor& bytes, ColumnType column);

}  // namespace pandora_ha
