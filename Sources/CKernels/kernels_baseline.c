// The kernels for any processor, 4 lanes at a time: SSE2 on x86-64, NEON on arm64.
#include "impl_includes.h"
#define VL 4
#if defined(__aarch64__)
#define MR_MAX 12
#define HAS_FMA 1
#else
#define MR_MAX 6
#define HAS_FMA 0
#endif
#define TABLE acc_table_baseline
#define TABLE_ISA accISABaseline
#include "kernels_impl.h"
