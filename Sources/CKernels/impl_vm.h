// The elementwise machine: one block of accVMBlock lanes per register, one vector loop per instruction. A block of 2 KiB
// stays in the L1 cache, so a chain of operations costs little more than its arithmetic.

// A register's lanes: in the scratch, or right in a caller's buffer (hence the alignment of one lane).
typedef union Block {
  float f[accVMBlock];
  int32_t i[accVMBlock];
  uint32_t u[accVMBlock];
  vf_any vf_[accVMBlock / VL];
} __attribute__((may_alias)) Block;

static long vm_scratch_bytes(const AccVM *program) {
  return program->register_count * (long)(sizeof(Block) + sizeof(Block *)) + 64;
}

// ---- loads

INLINE uint32_t vm_load_one(int type, const void *base, long at) {
  switch (type) {
  case accTypeBool: return ((const uint8_t *)base)[at] ? UINT32_MAX : 0;
  case accTypeI8: return (uint32_t)(int32_t)((const int8_t *)base)[at];
  case accTypeU8: return ((const uint8_t *)base)[at];
  case accTypeF16: { const vf v = f16_value(vseti(((const uint16_t *)base)[at])); return ((vu)v)[0]; }
  case accTypeBF16: return (uint32_t)((const uint16_t *)base)[at] << 16;
  default: return ((const uint32_t *)base)[at];
  }
}

// n elements from `at`, `step` apart, to dst.
static void vm_load_run(int type, const void *base, long at, long step, uint32_t *dst, long n) {
  if (step == 0) {
    const uint32_t x = vm_load_one(type, base, at);
    for (long i = 0; i < n; i++) dst[i] = x;
    return;
  }
#define EACH(T, expr)                                                                                                              \
  {                                                                                                                                \
    const T *p = (const T *)base + at;                                                                                             \
    if (step == 1) for (long i = 0; i < n; i++) { const T x = p[i]; dst[i] = expr; }                                               \
    else for (long i = 0; i < n; i++) { const T x = p[i * step]; dst[i] = expr; }                                                  \
  }
  switch (type) {
  case accTypeBool: EACH(uint8_t, x ? UINT32_MAX : 0) break;
  case accTypeI8: EACH(int8_t, (uint32_t)(int32_t)x) break;
  case accTypeU8: EACH(uint8_t, x) break;
  case accTypeBF16: EACH(uint16_t, (uint32_t)x << 16) break;
  case accTypeF16: {
    const uint16_t *p = (const uint16_t *)base + at;
    for (long i = 0; i < n; i += VL) {
      vi h = {0};
      const long lanes = min_l(VL, n - i);
      if (lanes == VL && step == 1) {
        typedef uint16_t half_vec __attribute__((vector_size(VL * 2), aligned(2), may_alias));
        h = __builtin_convertvector(*(const half_vec *)(p + i), vi);
      } else for (long j = 0; j < lanes; j++) h[j] = p[(i + j) * step];
      vstore_n((float *)dst + i, lanes, f16_value(h));
    }
    break;
  }
  default:
    if (step == 1) memcpy(dst, (const uint32_t *)base + at, 4 * (size_t)n);
    else EACH(uint32_t, x)
  }
#undef EACH
}

// Repeats dst[0..<period] up to n lanes by doubling.
INLINE void vm_tile_run(uint32_t *dst, long period, long n) {
  for (long have = period; have < n;) {
    const long more = min_l(have, n - have);
    memcpy(dst + have, dst, 4 * (size_t)more);
    have += more;
  }
}

// Element (i / count) % period of the buffer for lanes i = begin..<begin+n; period 0 means no remainder.
static void vm_load_repeat(const AccVMAccess *a, const void *base, long begin, long n, uint32_t *dst) {
  const long count = max_l(1, a->count);
  long i = 0;
  while (i < n) {
    const long group = (begin + i) / count, used = (begin + i) % count;
    if (count < 4 && a->period == 0) { // short runs: one division per block, then counting
      long g = group, left = count - used;
      for (; i < n; i++) {
        dst[i] = vm_load_one(a->type, base, a->offset + g);
        if (--left == 0) { left = count; g++; }
      }
      return;
    }
    const long run = min_l(count - used, n - i);
    vm_load_run(a->type, base, a->offset + (a->period > 0 ? group % a->period : group), 0, dst + i, run);
    i += run;
  }
}

static void vm_load_strided(const AccVMAccess *a, const void *base, long begin, long n, uint32_t *dst) {
  const int rank = a->rank;
  if (rank == 0) {
    vm_load_run(a->type, base, a->offset, 0, dst, n);
    return;
  }
  long index[accVMMaxRank], at = a->offset, rest = begin;
  for (int d = rank - 1; d >= 0; d--) {
    index[d] = d == 0 ? rest : rest % a->size[d];
    rest /= a->size[d];
    at += index[d] * a->stride[d];
  }
  const long inner = a->size[rank - 1], step = a->stride[rank - 1];
  for (long i = 0; i < n;) {
    const long run = min_l(inner - index[rank - 1], n - i);
    if (run <= 4) for (long j = 0; j < run; j++) dst[i + j] = vm_load_one(a->type, base, at + j * step);
    else vm_load_run(a->type, base, at, step, dst + i, run);
    i += run;
    if (i >= n) break;
    at -= index[rank - 1] * step;
    index[rank - 1] = 0;
    for (int d = rank - 2; d >= 0; d--) {
      at += a->stride[d];
      if (++index[d] < a->size[d] || d == 0) break;
      at -= a->size[d] * a->stride[d];
      index[d] = 0;
    }
  }
}

static void vm_load(const AccVMAccess *a, const void *base, long begin, long n, uint32_t *dst) {
  switch (a->address) {
  case accAddressContiguous: vm_load_run(a->type, base, a->offset + begin, 1, dst, n); break;
  case accAddressScalar: vm_load_run(a->type, base, a->offset, 0, dst, n); break;
  case accAddressPeriodic: {
    const long period = a->period;
    const long start = begin % period;
    if (start + n <= period) { vm_load_run(a->type, base, a->offset + start, 1, dst, n); break; }
    const long head = min_l(n, period - start);
    vm_load_run(a->type, base, a->offset + start, 1, dst, head);
    if (head < n) vm_load_run(a->type, base, a->offset, 1, dst + head, min_l(n - head, start));
    vm_tile_run(dst, period, n);
    break;
  }
  case accAddressRepeat: {
    AccVMAccess plain = *a;
    plain.period = 0;
    vm_load_repeat(&plain, base, begin, n, dst);
    break;
  }
  case accAddressRepeatPeriodic: vm_load_repeat(a, base, begin, n, dst); break;
  case accAddressStrided: vm_load_strided(a, base, begin, n, dst); break;
  }
}

// ---- stores

static void vm_store(const AccVMAccess *a, void *base, long begin, long n, const Block *src) {
  const long at = a->offset + begin;
  switch (a->type) {
  case accTypeBool: { uint8_t *p = (uint8_t *)base + at; for (long i = 0; i < n; i++) p[i] = src->u[i] & 1; break; }
  case accTypeI8:
  case accTypeU8: { uint8_t *p = (uint8_t *)base + at; for (long i = 0; i < n; i++) p[i] = (uint8_t)src->u[i]; break; }
  case accTypeF16:
  case accTypeBF16: {
    uint16_t *p = (uint16_t *)base + at;
    typedef uint16_t half_vec __attribute__((vector_size(VL * 2), aligned(2), may_alias));
    for (long i = 0; i < n; i += VL) {
      const vf v = vload(src->f + i);
      const half_vec h = __builtin_convertvector(a->type == accTypeF16 ? f16_bits(v) : bf16_bits(v), half_vec);
      if (n - i >= VL) *(half_vec *)(p + i) = h;
      else for (long j = 0; j < n - i; j++) p[i + j] = h[j];
    }
    break;
  }
  default: memcpy((uint32_t *)base + at, src->u, 4 * (size_t)n);
  }
}

// ---- integers

INLINE int32_t div_i(int32_t a, int32_t b) { return b == 0 ? -1 : b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b; }
INLINE int32_t rem_i(int32_t a, int32_t b) { return b == 0 ? a : b == -1 ? 0 : a % b; }


// A whole block of contiguous 32-bit elements needs no copy: a load lends the buffer to the register, and an operation whose
// result is stored next writes straight to the buffer.
INLINE bool vm_is_plain(const AccVMAccess *a, long n) {
  return n == accVMBlock && a->address == accAddressContiguous && (a->type == accTypeF32 || a->type == accTypeI32 || a->type == accTypeU32);
}

// Gives the registers that live in `bytes` of memory about to be overwritten a copy of their own.
static void vm_own(const AccVM *program, Block *own, Block **regs, const void *memory, long bytes) {
  const uintptr_t from = (uintptr_t)memory, to = from + (uintptr_t)bytes;
  for (long r = 0; r < program->register_count; r++) {
    const uintptr_t at = (uintptr_t)regs[r];
    if (regs[r] == &own[r] || at >= to || at + sizeof(Block) <= from) continue;
    memcpy(&own[r], regs[r], sizeof(Block));
    regs[r] = &own[r];
  }
}

// Whole groups of vectors: those beyond the block's end compute on whatever they hold.
static void vm_threefry(int op, const Block *A, const Block *B, const Block *C, Block *D, long vectors) {
  for (long k = 0; k < vectors; k += rndVectors) {
    vu x[rndVectors], y[rndVectors], first[rndVectors], second[rndVectors];
    for (int j = 0; j < rndVectors; j++) first[j] = (vu)A->vf_[k + j], second[j] = (vu)B->vf_[k + j], y[j] = (vu)C->vf_[k + j];
    rnd_rounds(x, y, first, second);
    for (int j = 0; j < rndVectors; j++) D->vf_[k + j] = (vf)(op == accOpThreefryFirst ? x[j] : op == accOpThreefrySecond ? y[j] : x[j] ^ y[j]);
  }
}

// A vector for each parameter, read from memory as it repeats: three instructions and three copies of vectors in one.
static void vm_affine(const AccVM *program, const AccVMInst *in, void *const *pointers, long begin, long n, const Block *A, Block *D) {
  const AccVMAccess *m = &program->accesses[in->b], *f = &program->accesses[in->c], *o = &program->accesses[in->d];
  const float *mean = (const float *)pointers[m->pointer] + m->offset, *factor = (const float *)pointers[f->pointer] + f->offset,
              *offset = (const float *)pointers[o->pointer] + o->offset;
  const long period = m->period;
#define AFFINE(lanes)                                                                                                              \
  vstore_n(D->f + k + j, lanes, vfma(vload_n(A->f + k + j, lanes) - vload_n(mean + at + j, lanes), vload_n(factor + at + j, lanes), \
                                     vload_n(offset + at + j, lanes)))
  for (long k = 0, at = begin % period; k < n; at = 0) {
    const long run = min_l(n - k, period - at);
    long j = 0;
    for (; j + VL <= run; j += VL) AFFINE(VL);
    if (j < run) AFFINE(run - j);
    k += run;
  }
#undef AFFINE
}

static void vm_block(const AccVM *program, long pc, long last, void *const *pointers, long begin, long n, Block *own, Block **regs) {
  static const uint8_t type_bytes[] = {1, 1, 1, 4, 4, 2, 2, 4};
  for (long r = 0; r < program->register_count; r++) regs[r] = &own[r];
  const long vectors = ceil_div(n, VL), lanes = vectors * VL; // lanes beyond n compute on whatever they hold
  for (; pc < last; pc++) {
    const AccVMInst *in = &program->code[pc];
    if (in->op == accOpLoad) {
      const AccVMAccess *a = &program->accesses[in->a];
      if (vm_is_plain(a, n)) regs[in->dst] = (Block *)((uint32_t *)pointers[a->pointer] + a->offset + begin);
      else {
        regs[in->dst] = &own[in->dst];
        vm_load(a, pointers[a->pointer], begin, n, own[in->dst].u);
        for (long k = n; k < lanes; k++) own[in->dst].u[k] = 0;
      }
      continue;
    }
    if (in->op == accOpStore) {
      const AccVMAccess *a = &program->accesses[in->a];
      const long size = type_bytes[a->type];
      char *to = (char *)pointers[a->pointer] + (a->offset + begin) * size;
      if ((char *)regs[in->b] == to) continue; // written there already
      vm_own(program, own, regs, to, n * size);
      vm_store(a, pointers[a->pointer], begin, n, regs[in->b]);
      continue;
    }
    Block *D = &own[in->dst];
    if (pc + 1 < program->code_count && in[1].op == accOpStore && in[1].b == in->dst && vm_is_plain(&program->accesses[in[1].a], n)) {
      const AccVMAccess *a = &program->accesses[in[1].a];
      D = (Block *)((uint32_t *)pointers[a->pointer] + a->offset + begin);
      vm_own(program, own, regs, D, sizeof(Block));
    }
    const bool reads = in->op != accOpConst && in->op != accOpIota;
    const bool isAffine = in->op == accOpAffineF; // b and c name accesses
    const Block *A = reads ? regs[in->a] : NULL, *B = isAffine ? NULL : regs[in->b], *C = isAffine ? NULL : regs[in->c];
    regs[in->dst] = D;
#define LOOP(body) for (long k = 0; k < vectors; k++) { body; } break
#define F1(op, expr) case op: LOOP(const vf x = A->vf_[k]; D->vf_[k] = (vf)(expr))
#define F2(op, expr) case op: LOOP(const vf x = A->vf_[k]; const vf y = B->vf_[k]; D->vf_[k] = (vf)(expr))
#define FI(op, expr) case op: { const vf y = vset(in->imm.f); LOOP(const vf x = A->vf_[k]; D->vf_[k] = (vf)(expr)); }
#define F3(op, expr)                                                                                                               \
  case op: LOOP(const vf x = A->vf_[k]; const vf y = B->vf_[k]; const vf z = C->vf_[k]; D->vf_[k] = (vf)(expr))
#define I1(op, expr) case op: LOOP(const vi x = (vi)A->vf_[k]; D->vf_[k] = (vf)(expr))
#define I2(op, expr) case op: LOOP(const vi x = (vi)A->vf_[k]; const vi y = (vi)B->vf_[k]; D->vf_[k] = (vf)(expr))
#define U2(op, expr) case op: LOOP(const vu x = (vu)A->vf_[k]; const vu y = (vu)B->vf_[k]; D->vf_[k] = (vf)(expr))
#define S1(op, fn) case op: for (long k = 0; k < n; k++) D->f[k] = fn(A->f[k]); break
#define S2(op, fn) case op: for (long k = 0; k < n; k++) D->f[k] = fn(A->f[k], B->f[k]); break
    switch ((AccOp)in->op) {
    case accOpLoad:
    case accOpStore: break;
    case accOpConst: { const vi x = vseti(in->imm.i); LOOP(D->vf_[k] = (vf)x); }
    case accOpIota: {
      const AccVMAccess *a = &program->accesses[in->a];
      const long count = max_l(1, a->count), period = a->period;
      long q = begin / count, left = count - begin % count;
      if (period > 0) q %= period;
      if (count == 1) {
        // Runs that count up to the period.
        for (long k = 0; k < n;) {
          const long run = period > 0 ? min_l(n - k, period - q) : n - k;
          for (long j = 0; j < run; j++) D->i[k + j] = (int32_t)(q + j);
          k += run;
          q = period > 0 && q + run == period ? 0 : q + run;
        }
        break;
      }
      // Runs of one number.
      for (long k = 0; k < n;) {
        const long run = min_l(n - k, left);
        for (long j = 0; j < run; j++) D->i[k + j] = (int32_t)q;
        k += run;
        left -= run;
        if (left == 0) {
          left = count;
          if (++q == period) q = 0;
        }
      }
      break;
    }
    F1(accOpMove, x);

    F2(accOpAddF, x + y);
    F2(accOpSubF, x - y);
    F2(accOpMulF, x * y);
    F2(accOpDivF, x / y);
    F2(accOpMaxF, vmax_nan(x, y));
    F2(accOpMinF, vmin_nan(x, y));
    S2(accOpPowF, powf);
    S2(accOpRemF, fmodf);
    S2(accOpAtan2F, atan2f);
    F3(accOpFmaF, vfma(x, y, z));
    case accOpAffineF: vm_affine(program, in, pointers, begin, n, A, D); break;
    F3(accOpClampF, vmin_nan(vmax_nan(y, x), z));
    F1(accOpNegF, (vi)x ^ INT32_MIN);
    F1(accOpAbsF, vabs(x));
    F1(accOpExpF, vexp(x));
    F1(accOpExpm1F, vexpm1(x));
    F1(accOpLogF, vlog(x));
    F1(accOpLog1pF, vlog1p(x));
    F1(accOpSqrtF, vsqrt(x));
    F1(accOpRsqrtF, 1.0f / vsqrt(x));
    S1(accOpCbrtF, cbrtf);
    F1(accOpTanhF, vtanh(x));
    F1(accOpLogisticF, vlogistic(x));
    S1(accOpSinF, sinf);
    S1(accOpCosF, cosf);
    S1(accOpTanF, tanf);
    F1(accOpErfF, verf(x));
    F1(accOpFloorF, vfloor(x));
    F1(accOpCeilF, vceil(x));
    F1(accOpRoundEvenF, vround_even(x));
    F1(accOpRoundAwayF, vround_away(x));
    F1(accOpSignF, vsel((x == 0.0f) | (x != x), x, vcopysign(vset(1.0f), x)));
    F1(accOpIsFiniteF, vabs(x) < INFINITY);
    F1(accOpRoundF16, f16_value(f16_bits(x)));
    F1(accOpRoundBF16, bf16_value(bf16_bits(x)));

    F2(accOpEqF, x == y);
    F2(accOpNeF, x != y);
    F2(accOpLtF, x < y);
    F2(accOpLeF, x <= y);
    F2(accOpGtF, x > y);
    F2(accOpGeF, x >= y);
    I2(accOpEqI, x == y);
    I2(accOpNeI, x != y);
    I2(accOpLtI, x < y);
    I2(accOpLeI, x <= y);
    I2(accOpGtI, x > y);
    I2(accOpGeI, x >= y);
    U2(accOpEqU, x == y);
    U2(accOpNeU, x != y);
    U2(accOpLtU, x < y);
    U2(accOpLeU, x <= y);
    U2(accOpGtU, x > y);
    U2(accOpGeU, x >= y);

    F3(accOpSelect, vsel((vi)x, y, z));

    U2(accOpAddI, x + y);
    U2(accOpSubI, x - y);
    U2(accOpMulI, x * y);
    case accOpDivI: for (long k = 0; k < n; k++) D->i[k] = div_i(A->i[k], B->i[k]); break;
    case accOpDivU: for (long k = 0; k < n; k++) D->u[k] = B->u[k] ? A->u[k] / B->u[k] : UINT32_MAX; break;
    case accOpRemI: for (long k = 0; k < n; k++) D->i[k] = rem_i(A->i[k], B->i[k]); break;
    case accOpRemU: for (long k = 0; k < n; k++) D->u[k] = B->u[k] ? A->u[k] % B->u[k] : A->u[k]; break;
    I2(accOpMaxI, __builtin_elementwise_max(x, y));
    I2(accOpMinI, __builtin_elementwise_min(x, y));
    U2(accOpMaxU, __builtin_elementwise_max(x, y));
    U2(accOpMinU, __builtin_elementwise_min(x, y));
    F3(accOpClampI, __builtin_elementwise_min(__builtin_elementwise_max((vi)y, (vi)x), (vi)z));
    F3(accOpClampU, __builtin_elementwise_min(__builtin_elementwise_max((vu)y, (vu)x), (vu)z));
    I1(accOpNegI, (vi)(0u - (vu)x));
    I1(accOpAbsI, (vi)(((vu)x ^ (vu)(x >> 31)) - (vu)(x >> 31)));
    I1(accOpSignI, (x >> 31) | (vi)(-(x > 0)));
    I1(accOpSignU, -(x != 0));
    I2(accOpAnd, x & y);
    I2(accOpOr, x | y);
    I2(accOpXor, x ^ y);
    I1(accOpNot, ~x);
    U2(accOpShl, (x << (y & 31)) & (vu)(y < 32));
    U2(accOpShrLogical, (x >> (y & 31)) & (vu)(y < 32));
    U2(accOpShrArithmetic, (vi)x >> (vi)__builtin_elementwise_min(y, (vu){0} + 31u));
    case accOpPopcount: for (long k = 0; k < n; k++) D->i[k] = __builtin_popcount(A->u[k]); break;
    case accOpClz: for (long k = 0; k < n; k++) D->i[k] = A->u[k] ? __builtin_clz(A->u[k]) : 32; break;
    I1(accOpWrapI8, (vi)((vu)x << 24) >> 24);
    I1(accOpWrapU8, x & 0xff);
    case accOpThreefryFirst:
    case accOpThreefrySecond:
    case accOpThreefryXor: vm_threefry(in->op, A, B, C, D, vectors); break;

    I1(accOpIToF, __builtin_convertvector(x, vf));
    I1(accOpUToF, __builtin_convertvector((vu)x, vf));
    F1(accOpFToI, f_to_i(x));
    F1(accOpFToU, f_to_u(x));
    F1(accOpFToI8, __builtin_elementwise_min(__builtin_elementwise_max(f_to_i(x), vseti(-128)), vseti(127)));
    F1(accOpFToU8, __builtin_elementwise_min(__builtin_elementwise_max(f_to_i(x), vseti(0)), vseti(255)));
    F1(accOpFToM, x != 0.0f);
    I1(accOpIToM, x != 0);
    I1(accOpMToF, x & 0x3f800000);
    I1(accOpMToI, x & 1);

    FI(accOpAddImmF, x + y);
    FI(accOpSubImmF, x - y);
    FI(accOpMulImmF, x * y);
    FI(accOpDivImmF, x / y);
    FI(accOpMaxImmF, vmax_nan(x, y));
    FI(accOpMinImmF, vmin_nan(x, y));
    FI(accOpRSubImmF, y - x);
    FI(accOpRDivImmF, y / x);
    }
#undef LOOP
#undef F1
#undef F2
#undef F3
#undef FI
#undef I1
#undef I2
#undef U2
#undef S1
#undef S2
  }
}

static void vm_run(const AccVM *program, void *const *pointers, long begin, long end, void *scratch) {
  Block *own = (Block *)(((uintptr_t)scratch + 63) / 64 * 64), **regs = (Block **)(own + program->register_count);
  const long invariant = program->invariant_count, count = program->code_count;
  // Whole blocks, so that what is computed once serves blocks of any length.
  if (begin < end) vm_block(program, 0, invariant, pointers, begin, accVMBlock, own, regs);
  for (long i = begin; i < end; i += accVMBlock) vm_block(program, invariant, count, pointers, i, min_l(accVMBlock, end - i), own, regs);
}
