// Which table to use: the only place that asks the processor what it can do.
#include "CKernels.h"
#include "tables.h"

bool acc_isa_available(AccISA isa) {
  switch (isa) {
  case accISABaseline: return true;
#if defined(__x86_64__)
  case accISAAVX2:
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  case accISAAVX512:
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
#endif
  default: return false;
  }
}

AccISA acc_best_isa(void) {
  if (acc_isa_available(accISAAVX512)) return accISAAVX512;
  if (acc_isa_available(accISAAVX2)) return accISAAVX2;
  return accISABaseline;
}

const AccKernels *acc_kernels(AccISA isa) {
  if (!acc_isa_available(isa)) return NULL;
  switch (isa) {
#if defined(__x86_64__)
  case accISAAVX512: return &acc_table_avx512;
  case accISAAVX2: return &acc_table_avx2;
#endif
  default: return &acc_table_baseline;
  }
}
