// Which core a thread runs on, and how to make it leave one. Schedulers that pack threads onto few cores may leave two that
// wait for each other on the same one for good: each spins through its slice of time while the other should work.
#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <unistd.h>
#endif
#include "CKernels.h"

#if defined(__linux__)
_Static_assert(sizeof(AccCores) >= sizeof(cpu_set_t), "a set of cores holds as many as the system's");

static cpu_set_t *set_of(AccCores *cores) { return (cpu_set_t *)cores; }

long acc_current_core(void) { return sched_getcpu(); }
long acc_current_thread(void) { return gettid(); }

AccCores acc_allowed_cores(void) {
  AccCores cores;
  memset(&cores, 0, sizeof cores);
  sched_getaffinity(0, sizeof(cpu_set_t), set_of(&cores));
  return cores;
}

bool acc_remove_core(AccCores *cores, long core) {
  if (core < 0 || core >= CPU_SETSIZE || !CPU_ISSET((size_t)core, set_of(cores)) || CPU_COUNT(set_of(cores)) < 2) return false;
  CPU_CLR((size_t)core, set_of(cores));
  return true;
}

void acc_restrict_thread(long thread, AccCores cores) { sched_setaffinity((pid_t)thread, sizeof(cpu_set_t), set_of(&cores)); }
#else
long acc_current_core(void) { return -1; }
long acc_current_thread(void) { return 0; }
AccCores acc_allowed_cores(void) { return (AccCores){{0}}; }
bool acc_remove_core(AccCores *cores, long core) { return false; }
void acc_restrict_thread(long thread, AccCores cores) {}
#endif
