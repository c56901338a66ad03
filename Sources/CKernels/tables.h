// The tables that the instruction-set files define.
#ifndef ACC_TABLES_H
#define ACC_TABLES_H
#include "CKernels.h"
extern const AccKernels acc_table_baseline;
#if defined(__x86_64__)
extern const AccKernels acc_table_avx2, acc_table_avx512;
#endif
#endif
