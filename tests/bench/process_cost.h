// What this process has used.
#pragma once

namespace pandora_ha::bench {

// All threads, in seconds.
double CpuSeconds();
double RssMegabytes();

}  // namespace pandora_ha::bench
