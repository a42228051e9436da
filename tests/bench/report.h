// What every benchmark leaves: a table for people, a list of objects for machines.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace pandora_ha::bench {

using Sample = std::vector<double>;

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// 0.5 is the median. REQUIRES: the sample is not empty.
double At(Sample sample, double quantile);

struct Row {
  std::string name, unit;
  double value = 0;
  double floor = kNone;  // what no program could beat, measured in the same run
  std::size_t n = 1;
  double p95 = kNone;
  std::string flavor = {};
};

void Print(const std::vector<Row>& rows);
// Makes the directory when it is missing. False when the file cannot be written.
bool WriteJson(const std::string& path, const std::vector<Row>& rows);

// "load 0.62 3.65 4.67": how busy the machine was.
std::string Load();

}  // namespace pandora_ha::bench
