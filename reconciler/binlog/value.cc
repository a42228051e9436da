#include "reconciler/binlog/value.h"

#include <array>
#include <cstdio>
#include <cstring>

namespace pandora_ha {
namespace {

// The servers' numbers of types (enum_field_types). 140 and 141 are MariaDB's, 242 is MySQL's.
enum Type : std::uint8_t {
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kTimestamp = 7,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kTime = 11,
  kDateTime = 12,
  kYear = 13,
  kNewDate = 14,
  kVarchar = 15,
  kBit = 16,
  kTimestamp2 = 17,
  kDateTime2 = 18,
  kTime2 = 19,
  kBlobCompressed = 140,
  kVarcharCompressed = 141,
  kVector = 242,
  kJson = 245,
  kNewDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kTinyBlob = 249,
  kMediumBlob = 250,
  kLongBlob = 251,
  kBlob = 252,
  kVarString = 253,
  kString = 254,
  kGeometry = 255,
};

template <class... Arguments>
std::string Print(const char* format, Arguments... arguments) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, arguments...);
  return text.data();
}

unsigned Part(std::uint64_t packed, int shift, int bits) {
  return static_cast<unsigned>(packed >> shift & ((1u << bits) - 1));
}

// ".123" of a fraction that is kept in (digits + 1) / 2 bytes, most significant first.
std::string Fraction(std::uint64_t stored, int digits) {
  if (digits == 0) return "";
  if (digits % 2 != 0) stored /= 10;
  return Print(".%0*u", digits, static_cast<unsigned>(stored));
}

int FractionBytes(int digits) {
  return (digits + 1) / 2;
}

std::string ReadDateTime2(Cursor& bytes, int digits) {
  const std::uint64_t packed = bytes.Big(5) - 0x8000000000;
  const unsigned months = Part(packed, 22, 17);
  std::string text =
      Print("%04u-%02u-%02u %02u:%02u:%02u", months / 13, months % 13, Part(packed, 17, 5),
            Part(packed, 12, 5), Part(packed, 6, 6), Part(packed, 0, 6));
  if (digits > 0) text += Fraction(bytes.Big(FractionBytes(digits)), digits);
  return text;
}

// A negative time is the whole number, fraction included, taken from zero.
std::string ReadTime2(Cursor& bytes, int digits) {
  const int fraction_bytes = FractionBytes(digits);
  const int shift = 8 * fraction_bytes;
  const auto zero = std::int64_t{0x800000} << shift;
  const auto packed = static_cast<std::int64_t>(bytes.Big(3 + fraction_bytes)) - zero;
  const auto size = static_cast<std::uint64_t>(packed < 0 ? -packed : packed);
  const std::uint64_t whole = size >> shift;
  return Print("%s%02u:%02u:%02u", packed < 0 ? "-" : "", Part(whole, 12, 10), Part(whole, 6, 6),
               Part(whole, 0, 6)) +
         Fraction(size & ((std::uint64_t{1} << shift) - 1), digits);
}

std::string ReadDate(Cursor& bytes) {
  const std::uint64_t packed = bytes.Little(3);
  return Print("%04u-%02u-%02u", Part(packed, 9, 15), Part(packed, 5, 4), Part(packed, 0, 5));
}

// Before fractions: decimal digits in a number.
std::string ReadOldTime(Cursor& bytes) {
  const auto value = static_cast<std::int32_t>(bytes.Little(3) << 8) / 256;
  const auto size = static_cast<unsigned>(value < 0 ? -value : value);
  return Print("%s%02u:%02u:%02u", value < 0 ? "-" : "", size / 10000, size / 100 % 100,
               size % 100);
}

std::string ReadOldDateTime(Cursor& bytes) {
  const std::uint64_t value = bytes.Little(8);
  const auto date = static_cast<unsigned>(value / 1000000 % 100000000);
  const auto time = static_cast<unsigned>(value % 1000000);
  return Print("%04u-%02u-%02u %02u:%02u:%02u", date / 10000, date / 100 % 100, date % 100,
               time / 10000, time / 100 % 100, time % 100);
}

// Nine digits in four bytes, what is left over at both ends in as few as it takes; the first bit is
// the sign, inverted, and a negative number has all bits inverted.
Result<Value> ReadDecimal(Cursor& bytes, ColumnType column) {
  static constexpr std::array<int, 10> kBytesOf = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
  const int precision = column.meta >> 8, decimals = column.meta & 0xff;
  if (decimals > precision || precision < 1 || precision > 65)
    return Error{ErrorCode::kInvalid, "a DECIMAL that cannot be"};
  const int whole = precision - decimals;
  const int size = whole / 9 * 4 + kBytesOf[static_cast<std::size_t>(whole % 9)] +
                   decimals / 9 * 4 + kBytesOf[static_cast<std::size_t>(decimals % 9)];
  std::string raw(bytes.Take(static_cast<std::uint64_t>(size)));
  if (raw.empty()) return Value(std::string("0"));
  const bool negative = (raw[0] & 0x80) == 0;
  raw[0] = static_cast<char>(raw[0] ^ 0x80);
  if (negative) {
    for (char& byte : raw) byte = static_cast<char>(~byte);
  }
  Cursor groups(raw);
  const auto digits = [&](int count) {
    return Print("%0*u", count,
                 static_cast<unsigned>(groups.Big(kBytesOf[static_cast<std::size_t>(count)])));
  };
  std::string text;
  if (whole % 9 > 0) text += digits(whole % 9);
  for (int i = 0; i < whole / 9; ++i) text += digits(9);
  text.erase(0, std::min(text.find_first_not_of('0'), text.size()));
  if (text.empty()) text = "0";
  if (decimals > 0) text += '.';
  for (int i = 0; i < decimals / 9; ++i) text += digits(9);
  if (decimals % 9 > 0) text += digits(decimals % 9);
  return Value((negative ? "-" : "") + text);
}

Value ReadInteger(Cursor& bytes, int width) {
  return Integer{bytes.Little(width), width};
}

std::string ReadText(Cursor& bytes, int length_bytes) {
  return std::string(bytes.Take(bytes.Little(length_bytes)));
}

// The two bytes of a CHAR's metadata hold its length too, of which two bits hide in the type.
Result<Value> ReadString(Cursor& bytes, ColumnType column) {
  unsigned type = column.meta >> 8, length = column.meta & 0xff;
  if ((type & 0x30) != 0x30) {
    length |= ((type & 0x30) ^ 0x30) << 4;
    type |= 0x30;
  }
  switch (type) {
    case kEnum:
    case kSet:
      if (length < 1 || length > 8) return Error{ErrorCode::kInvalid, "an ENUM that cannot be"};
      return ReadInteger(bytes, static_cast<int>(length));
    case kString:
      return Value(ReadText(bytes, length > 255 ? 2 : 1));
    default:
      return Error{ErrorCode::kUnsupported, Print("column type %u", type)};
  }
}

template <class T>
double ReadFloating(Cursor& bytes) {
  const std::string_view raw = bytes.Take(sizeof(T));
  T value = 0;
  if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
  return value;
}

}  // namespace

std::int64_t Integer::Signed() const {
  const int unused = 64 - 8 * bytes;
  return static_cast<std::int64_t>(bits << unused) >> unused;
}

Result<std::vector<ColumnType>> ReadColumnTypes(std::string_view types, Cursor meta) {
  std::vector<ColumnType> columns;
  columns.reserve(types.size());
  for (const char c : types) {
    ColumnType column{static_cast<std::uint8_t>(c), 0};
    switch (column.type) {
      case kFloat:
      case kDouble:
      case kTimestamp2:
      case kDateTime2:
      case kTime2:
      case kBlobCompressed:
      case kJson:
      case kVector:
      case kTinyBlob:
      case kMediumBlob:
      case kLongBlob:
      case kBlob:
      case kGeometry:
        column.meta = static_cast<std::uint16_t>(meta.Little(1));
        break;
      case kVarchar:
      case kVarcharCompressed:
      case kVarString:
        column.meta = static_cast<std::uint16_t>(meta.Little(2));
        break;
      case kBit:
      case kNewDecimal:
      case kString:
      case kEnum:
      case kSet:
        column.meta = static_cast<std::uint16_t>(meta.Big(2));
        break;
      default:
        break;
    }
    columns.push_back(column);
  }
  if (meta.Failed())
    return Error{ErrorCode::kInvalid, "the description of a table's columns ends too early"};
  return columns;
}

Result<Value> ReadValue(Cursor& bytes, ColumnType column) {
  const int digits = column.meta;
  switch (column.type) {
    case kTiny:
      return ReadInteger(bytes, 1);
    case kShort:
      return ReadInteger(bytes, 2);
    case kInt24:
      return ReadInteger(bytes, 3);
    case kLong:
      return ReadInteger(bytes, 4);
    case kLongLong:
      return ReadInteger(bytes, 8);
    case kFloat:
      return Value(ReadFloating<float>(bytes));
    case kDouble:
      return Value(ReadFloating<double>(bytes));
    case kYear: {
      const std::uint64_t year = bytes.Little(1);
      return Value(Integer{year == 0 ? 0 : 1900 + year, 2});
    }
    case kDate:
    case kNewDate:
      return Value(ReadDate(bytes));
    case kTime:
      return Value(ReadOldTime(bytes));
    case kDateTime:
      return Value(ReadOldDateTime(bytes));
    case kTimestamp:
      return Value(std::to_string(bytes.Little(4)));
    case kTimestamp2:
    case kDateTime2:
    case kTime2: {
      if (digits > 6) return Error{ErrorCode::kInvalid, "a fraction of a second that cannot be"};
      if (column.type == kDateTime2) return Value(ReadDateTime2(bytes, digits));
      if (column.type == kTime2) return Value(ReadTime2(bytes, digits));
      std::string text = std::to_string(bytes.Big(4));
      if (digits > 0) text += Fraction(bytes.Big(FractionBytes(digits)), digits);
      return Value(std::move(text));
    }
    case kNewDecimal:
      return ReadDecimal(bytes, column);
    case kBit: {
      const int bits = (column.meta & 0xff) * 8 + (column.meta >> 8);
      const int size = (bits + 7) / 8;
      if (size < 1 || size > 8) return Error{ErrorCode::kInvalid, "a BIT that cannot be"};
      return Value(Integer{bytes.Big(size), size});
    }
    case kVarchar:
    case kVarString:
      return Value(ReadText(bytes, column.meta > 255 ? 2 : 1));
    case kVarcharCompressed:
      return Value(Opaque{ReadText(bytes, column.meta > 255 ? 2 : 1)});
    case kTinyBlob:
    case kMediumBlob:
    case kLongBlob:
    case kBlob:
    case kBlobCompressed:
    case kJson:
    case kVector:
    case kGeometry: {
      if (column.meta < 1 || column.meta > 4)
        return Error{ErrorCode::kInvalid, "a BLOB that cannot be"};
      std::string text = ReadText(bytes, column.meta);
      const bool plain = column.type >= kTinyBlob && column.type <= kBlob;
      if (plain) return Value(std::move(text));
      return Value(Opaque{std::move(text)});
    }
    case kString:
    case kEnum:
    case kSet:
      return ReadString(bytes, column);
    default:
      return Error{ErrorCode::kUnsupported, Print("column type %u", unsigned{column.type})};
  }
}

}  // namespace pandora_ha
