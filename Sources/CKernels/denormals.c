// Denormal numbers cost a hundred cycles each on most processors, and decaying optimizer moments are full of them;
// this switches them off for one thread.
#include "CKernels.h"
#if defined(__x86_64__)
#include <xmmintrin.h>

bool acc_set_flush_denormals(bool on) {
  const unsigned both = 0x8040; // flush to zero, denormals are zero
  unsigned state = _mm_getcsr();
  _mm_setcsr(on ? state | both : state & ~both);
  return (state & both) == both;
}
#elif defined(__aarch64__)
bool acc_set_flush_denormals(bool on) {
  const uint64_t flush = 1u << 24;
  uint64_t state;
  __asm__ volatile("mrs %0, fpcr" : "=r"(state));
  uint64_t next = on ? state | flush : state & ~flush;
  __asm__ volatile("msr fpcr, %0" : : "r"(next));
  return (state & flush) != 0;
}
#else
bool acc_set_flush_denormals(bool on) { (void)on; return false; }
#endif
