// Standard headers, included before any instruction-set pragma so that only our own functions carry the target.
#include "CKernels.h"
#include "tables.h"
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
