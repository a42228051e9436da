#include <sys/prctl.h>

#include "reconciler/app/cli.h"

int main(int argc, char** argv) {
  // Passwords are in this process: no core dump, and no reading of its memory by others of our
  // user.
  prctl(PR_SET_DUMPABLE, 0);
  return pandora_ha::RunCli(argc, argv);
}
