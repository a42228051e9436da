// A supervisor as a manager starts it: test_supervisor DIRECTORY.
#include "reconciler/substrate/local/supervisor.h"

#include <string_view>

#include "reconciler/app/merge_rows.h"
#include "reconciler/app/rewind_rows.h"
#include "reconciler/app/verify_rows.h"
#include "reconciler/substrate/local/archiver.h"
#include "reconciler/substrate/local/copier.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "copy") return pandora_ha::RunCopier();
  if (argc == 3 && std::string_view(argv[1]) == "archive-job") return pandora_ha::RunArchiver();
  if (argc == 3 && std::string_view(argv[1]) == "merge-job") return pandora_ha::RunMerger();
  if (argc == 3 && std::string_view(argv[1]) == "rewind-job") return pandora_ha::RunRewinder();
  if (argc == 3 && std::string_view(argv[1]) == "verify-job") return pandora_ha::RunVerifier();
  if (argc != 2) return 2;
  return pandora_ha::RunSupervisor({.directory = argv[1], .detach = true});
}
