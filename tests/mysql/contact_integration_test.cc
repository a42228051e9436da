#include "tests/mysql/pair.h"
