// The kernels for AVX-512: 32 registers of 16 lanes, masks for every tail.
#if defined(__x86_64__)
#include "impl_includes.h"
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt,lzcnt,bmi,bmi2"))), apply_to = function)
#define ACC_AVX512 1
#define VL 16
#define MR_MAX 14
#define HAS_FMA 1
#define TABLE acc_table_avx512
#define TABLE_ISA accISAAVX512
#include "kernels_impl.h"
#pragma clang attribute pop
#endif
