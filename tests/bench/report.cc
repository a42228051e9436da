#include "tests/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pandora_ha::bench {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  return std::isnan(value) ? "null" : text;
}

}  // namespace

double At(Sample sample, double quantile) {
  std::sort(sample.begin(), sample.end());
  return sample[static_cast<std::size_t>(quantile * static_cast<double>(sample.size() - 1) + 0.5)];
}

void Print(const std::vector<Row>& rows) {
  std::printf("%-44s %-13s %10s %10s %8s %6s %10s  %s\n", "name", "flavor", "value", "floor",
              "ratio", "n", "p95", "unit");
  for (const Row& row : rows) {
    std::printf("%-44s %-13s %10s %10s %8s %6zu %10s  %s\n", row.name.c_str(), row.flavor.c_str(),
                Number(row.value).c_str(), Number(row.floor).c_str(),
                Number(row.value / row.floor).c_str(), row.n, Number(row.p95).c_str(),
                row.unit.c_str());
  }
}

bool WriteJson(const std::string& path, const std::vector<Row>& rows) {
  const auto directory = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (!directory.empty()) std::filesystem::create_directories(directory, ignored);
  std::ofstream out(path);
  const char* separator = "[\n";
  for (const Row& row : rows) {
    out << separator << R"(  {"name": ")" << row.name << R"(", "flavor": ")" << row.flavor
        << R"(", "unit": ")" << row.unit << R"(", "value": )" << Number(row.value)
        << R"(, "floor": )" << Number(row.floor) << R"(, "ratio": )"
        << Number(row.value / row.floor) << R"(, "n": )" << row.n << R"(, "p95": )"
        << Number(row.p95) << "}";
    separator = ",\n";
  }
  out << "\n]\n";
  out.close();
  return out.good();
}

std::string Load() {
  double load[3] = {};
  if (getloadavg(load, 3) != 3) return "load unknown";
  char text[64];
  std::snprintf(text, sizeof text, "load %.2f %.2f %.2f", load[0], load[1], load[2]);
  return text;
}

}  // namespace pandora_ha::bench
