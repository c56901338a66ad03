// Stands in front of the C library's allocator, where that has names of its own to pass calls on to. Sanitizers have an
// allocator themselves, and this one leaves the place to it.
#include "CAllocationCounter.h"
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(IS_SANITIZED)
// A count for each thread: other tests run at the same time.
static _Thread_local long calls;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
  calls++;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  calls++;
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  calls++;
  return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  calls++;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  calls++;
  void *memory = __libc_memalign(alignment, size);
  if (!memory) return 12; // ENOMEM
  *result = memory;
  return 0;
}

long allocation_count(void) { return calls; }
#else
long allocation_count(void) { return -1; }
#endif
