// What each pattern of the schema means, for people.
#include <array>
#include <utility>

#include "reconciler/spec/schema.h"

namespace pandora_ha {

std::string PatternWords(const std::string& pattern) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kWords = {{
      {R"(^[a-z0-9]([-a-z0-9]*[a-z0-9])?$)",
       "lower-case letters, digits and '-', with a letter or digit at both ends, such as 'node1'"},
      {R"(^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$)",
       "lower-case letters, digits, '-' and '.', with a letter or digit at both ends"},
      {R"(^[A-Za-z_][A-Za-z0-9_]*$)", "letters, digits and '_', not beginning with a digit"},
      {R"(^([A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$)",
       "a host name or an IP address, without a port, such as '10.0.1.11' or 'db1.example.org'"},
      {R"(^[a-z_][-a-z0-9_.]*$)", "the name of a Unix account, such as 'pandora-ha'"},
      {R"(^[A-Za-z0-9_][-A-Za-z0-9_.]*$)",
       "letters, digits, '_', '-' and '.', not beginning with '-' or '.'"},
      {R"(^/)", "an absolute path: it begins with '/'"},
      {R"(^[-._A-Za-z0-9]+$)", "letters, digits, '-', '_' and '.'"},
      {R"(^[^\r\n]*$)", "one line of text"},
      {R"(^([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$)",
       "an IP address with its prefix length, such as '10.0.1.100/24'"},
      {R"(^[A-Za-z0-9][-A-Za-z0-9_.:]*$)", "the name of a network interface, such as 'eth0'"},
      {R"(^([-A-Za-z0-9.]+|\[[0-9A-Fa-f:.]+\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$)",
       "HOST:PORT with a port from 1 to 65535, such as '127.0.0.1:3306' or '[::1]:3306'"},
      {R"(^[1-9][0-9]*(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$)",
       "a whole number with an optional unit of k, M, G, T, P, Ki, Mi, Gi, Ti or Pi, such as "
       "'10Gi'"},
      {R"(^[a-z0-9][-A-Za-z0-9_./:@]*$)", "the name of a container image, such as 'mariadb:11.8'"},
      {R"(^[1-9][0-9]*m?$)", "a whole number of processors, or thousandths of one, such as '500m'"},
      {R"(^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$)",
       "the name of a condition, such as 'Ready'"},
      {R"(^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$)", "one CamelCase word"},
  }};
  for (const auto& [text, words] : kWords) {
    if (text == pattern) return std::string(words);
  }
  return "";
}

}  // namespace pandora_ha
