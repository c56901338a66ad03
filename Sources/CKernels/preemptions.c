// How often the calling thread was preempted. Only waiting threads ask, so it may cost a system call.
#if defined(__linux__)
#define _GNU_SOURCE
#include <sys/resource.h>
#endif
#include "CKernels.h"

long acc_preemptions(void) {
#if defined(__linux__)
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
#else
  return 0;
#endif
}
