#include "reconciler/app/cli.h"

int main(int argc, char** argv) {
  return pandora_ha::RunCli(argc, argv);
}
