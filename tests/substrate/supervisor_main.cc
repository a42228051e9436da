// A supervisor as a manager starts it: test_supervisor DIRECTORY.
#include "reconciler/substrate/local/supervisor.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  return pandora_ha::RunSupervisor({.directory = argv[1], .detach = true});
}
