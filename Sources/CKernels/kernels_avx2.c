// The kernels for AVX2 with FMA: 16 registers of 8 lanes.
#if defined(__x86_64__)
#include "impl_includes.h"
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,popcnt,lzcnt,bmi,bmi2"))), apply_to = function)
#define ACC_AVX2 1
#define VL 8
#define MR_MAX 6
#define HAS_FMA 1
#define TABLE acc_table_avx2
#define TABLE_ISA accISAAVX2
#include "kernels_impl.h"
#pragma clang attribute pop
#endif
