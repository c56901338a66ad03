// Attention that never stores the matrix of scores. For each sample and head, the scores of a block of queries and keys are
// computed in scratch memory, used and discarded; the softmax of a row continues from block to block with a running maximum and
// sum. Blocks follow from the shapes alone, so a unit (one head of one sample) has the same bits wherever it is computed.

enum { attQueries = 64, attKeys = 128 }; // the most in a block: 32 KB of scores

// Blocks of about one size that are at most `most` long.
INLINE long att_block(long count, long most, long grain) {
  const long blocks = max_l(ceil_div(count, most), 1);
  return max_l(ceil_div(ceil_div(count, blocks), grain), 1) * grain;
}
INLINE float *att_take(float **scratch, long count) {
  float *p = *scratch;
  *scratch += ceil_div(count, 16) * 16;
  return p;
}

// Rows that lie `stride` apart, one after another and times `scale`: with large powers of two between them they would push
// each other out of the cache.
INLINE void att_gather(const float *x, long stride, long rows, long cols, float scale, float *out) {
  for (long r = 0; r < rows; r++, x += stride, out += cols)
    for (long i = 0; i < cols; i += VL) vstore_n(out + i, cols - i, vload_n(x + i, cols - i) * scale);
}

// Scores of `rows` queries (contiguous) with the keys of a block (turned: [D][ld]).
INLINE void att_scores(long rows, long keys, long D, const float *q, const float *turned, long ld, float *s, void *scratch) {
  sgemm(rows, keys, D, q, D, 1, turned, ld, 1, s, ld, false, NULL, scratch);
}

static long attention_scratch_bytes(const AccAttention *a) {
  const long D = a->D, E = a->E, queries = att_block(a->T, attQueries, 1), keys = att_block(a->S, attKeys, VL);
  const long wide = max_l(D, E), lines = keys * (3 * D + 3 * E) + queries * (D + E) + 2 * queries * keys + a->T;
  long gemm = sgemm_scratch_bytes(queries, keys, wide);
  gemm = max_l(gemm, sgemm_scratch_bytes(queries, wide, keys));
  gemm = max_l(gemm, sgemm_scratch_bytes(keys, wide, queries));
  return 4 * (lines + 16 * 16) + gemm;
}

// Scores of up to VL rows become e^(score - top), where top is the row's largest so far; keys from `seen + row` on count as
// -inf when `causal`. `factor` is what was summed before must be multiplied by.
INLINE void att_rows(float *s, long ld, long rows, long width, bool causal, long seen, float *top, float *sum, float *factor) {
  vf t[VL] = {0};
  float base[VL];
  for (long r = 0; r < rows; r++) t[r] = lanes_max(s + r * ld, causal ? min_l(width, seen + r) : width);
  const vf old = vload_n(top, rows), next = vmax_nan(fold_rows(redMax, t), old);
  const vf safe = vsel(next == -INFINITY, vset(0), next); // -inf - -inf would be NaN where e^-inf is meant
  const vf ratio = vexp(old - safe);
  vstore(base, safe);
  vstore(factor, ratio);
  vstore_n(top, rows, next);
  for (long r = 0; r < VL; r++) {
    t[r] = (vf){0};
    if (r >= rows) continue;
    float *row = s + r * ld;
    const long end = causal ? min_l(width, seen + r) : width;
    long i = 0;
    for (; i < end; i += VL) {
      const vf e = vfill(vexp(vload(row + i) - base[r]), end - i, 0);
      vstore(row + i, e);
      t[r] += e;
    }
    for (; i < width; i += VL) vstore(row + i, (vf){0});
  }
  vstore_n(sum, rows, vfma(vload_n(sum, rows), ratio, fold_rows(redSum, t)));
}

// Random bits of rndVectors vectors of a row's keys, the first at place `at`.
INLINE void att_bits(const AccAttention *a, uint32_t at, vu *bits) {
  vu lane;
  UNROLL for (int j = 0; j < VL; j++) lane[j] = (uint32_t)j;
  UNROLL for (int j = 0; j < rndVectors; j++) bits[j] = lane + (at + (uint32_t)(j * VL));
  rnd_bits(bits, a->key[0], a->key[1]);
}

// Drops shares among the first `seen` of a row whose first one is at place `at`.
INLINE void att_drop(const AccAttention *a, float *row, long seen, uint32_t at) {
  for (long i = 0; i < seen; i += rndVectors * VL) {
    vu bits[rndVectors];
    att_bits(a, at + (uint32_t)i, bits);
    for (long j = 0, c = i; j < rndVectors && c < seen; j++, c += VL)
      vstore(row + c, vsel(bits[j] <= a->kept, vload(row + c), (vf){0}));
  }
}

INLINE void att_scale(float *x, long cols, float factor) {
  for (long i = 0; i < cols; i += VL) vstore_n(x + i, cols - i, vload_n(x + i, cols - i) * factor);
}

// The place of a unit's first score among the random bits.
INLINE uint32_t att_place(const AccAttention *a, long u) {
  return (a->position ? *a->position : 0) + (uint32_t)u * (uint32_t)a->T * (uint32_t)a->S;
}

static void attention_unit(const AccAttention *a, const float *q, const float *k, const float *v, float *o, float *top, uint32_t place,
                           float *scratch) {
  const long T = a->T, S = a->S, D = a->D, E = a->E, qs = a->H * D, vs = a->H * E;
  if (S == 0) {
    for (long t = 0; t < T; t++) {
      memset(o + t * vs, 0, sizeof(float) * (size_t)E);
      top[t] = -INFINITY;
    }
    return;
  }
  const long queries = att_block(T, attQueries, 1), keys = att_block(S, attKeys, VL);
  float *turned = att_take(&scratch, D * keys), *vb = att_take(&scratch, E * keys), *qb = att_take(&scratch, queries * D);
  float *s = att_take(&scratch, queries * keys), *sum = att_take(&scratch, T);
  for (long t = 0; t < T; t++) {
    top[t] = -INFINITY;
    sum[t] = 0;
  }
  for (long k0 = 0; k0 < S; k0 += keys) {
    const long nk = min_l(keys, S - k0);
    if (a->causal && k0 >= T) break;
    transpose2d_32(k + k0 * qs, qs, turned, keys, nk, D);
    att_gather(v + k0 * vs, vs, nk, E, 1, vb);
    for (long q0 = a->causal ? k0 / queries * queries : 0; q0 < T; q0 += queries) {
      const long q1 = min_l(T, q0 + queries), first = a->causal ? max_l(q0, k0) : q0, rows = q1 - first;
      if (rows <= 0) continue;
      const long width = a->causal ? min_l(nk, q1 - k0) : nk;
      att_gather(q + first * qs, qs, rows, D, a->scale, qb);
      att_scores(rows, width, D, qb, turned, keys, s, scratch);
      float *out = o + first * vs;
      for (long r = 0; r < rows; r += VL) {
        float factor[VL];
        const long n = min_l(VL, rows - r);
        att_rows(s + r * keys, keys, n, width, a->causal, first + r - k0 + 1, top + first + r, sum + first + r, factor);
        if (k0 > 0) for (long i = 0; i < n; i++) if (factor[i] != 1) att_scale(out + (r + i) * vs, E, factor[i]);
        if (a->key) for (long i = r; i < r + n; i++) {
          const long t = first + i, seen = a->causal ? min_l(width, t - k0 + 1) : width;
          att_drop(a, s + i * keys, seen, place + (uint32_t)(t * S + k0));
        }
      }
      sgemm(rows, E, width, s, keys, 1, vb, E, 1, out, vs, k0 > 0, NULL, scratch);
      // Rows that see no key beyond this block are complete.
      const long done = k0 + nk == S ? q1 : a->causal ? min_l(q1, k0 + nk) : first;
      for (long r = 0; r < done - first; r++) att_scale(out + r * vs, E, (a->key ? a->boost : 1) / sum[first + r]);
    }
  }
  for (long t = 0; t < T; t += VL) {
    const vf base = vload_n(top + t, T - t);
    vstore_n(top + t, T - t, vlog(vload_n(sum + t, T - t)) + vsel(base == -INFINITY, vset(0), base));
  }
}

static void attention_forward(const AccAttention *a, const float *q, const float *k, const float *v, float *o, float *log_sum, long u0,
                              long u1, void *scratch) {
  for (long u = u0; u < u1; u++) {
    const long n = u / a->H, h = u % a->H, x = n * a->T * a->H + h, y = n * a->S * a->H + h;
    attention_unit(a, q + x * a->D, k + y * a->D, v + y * a->E, o + x * a->E, log_sum + u * a->T, att_place(a, u), scratch);
  }
}

// Scores become shares e^(score - log sum), gradients of shares those of scores: share * (gradient - common).
// With dropout, the shares that were dropped become 0, and so do their gradients, before the common part is taken off.
INLINE void att_row_backward(const AccAttention *a, float *s, float *d, long seen, long width, float log_sum, float common, uint32_t at) {
  long i = 0;
  if (!a->key) for (; i < seen; i += VL) {
    const vf p = vfill(vexp(vload(s + i) - log_sum), seen - i, 0);
    vstore(s + i, p);
    vstore(d + i, vfill(p * (vload(d + i) - common), seen - i, 0));
  }
  else while (i < seen) {
    vu bits[rndVectors];
    att_bits(a, at + (uint32_t)i, bits);
    for (long j = 0; j < rndVectors && i < seen; j++, i += VL) {
      const vi kept = bits[j] <= a->kept;
      const vf p = vfill(vexp(vload(s + i) - log_sum), seen - i, 0);
      vstore(s + i, vsel(kept, p * a->boost, (vf){0}));
      vstore(d + i, vfill(p * (vsel(kept, vload(d + i) * a->boost, (vf){0}) - common), seen - i, 0));
    }
  }
  for (; i < width; i += VL) {
    vstore(s + i, (vf){0});
    vstore(d + i, (vf){0});
  }
}

static void attention_unit_backward(const AccAttention *a, const float *q, const float *k, const float *v, const float *o,
                                    const float *log_sum, const float *g, const float *g_log_sum, float *dq, float *dk, float *dv,
                                    uint32_t place, float *scratch) {
  const long T = a->T, S = a->S, D = a->D, E = a->E, qs = a->H * D, vs = a->H * E;
  if (S == 0) for (long t = 0; t < T; t++) memset(dq + t * qs, 0, sizeof(float) * (size_t)D);
  const long queries = att_block(T, attQueries, 1), keys = att_block(S, attKeys, VL);
  float *kb = att_take(&scratch, keys * D), *turned = att_take(&scratch, keys * D), *v_turned = att_take(&scratch, keys * E);
  float *dkb = att_take(&scratch, keys * D), *dvb = att_take(&scratch, keys * E);
  float *qb = att_take(&scratch, queries * D), *gb = att_take(&scratch, queries * E);
  float *s = att_take(&scratch, queries * keys), *d = att_take(&scratch, queries * keys), *common = att_take(&scratch, T);
  for (long t = 0; t < T; t++) {
    vf total = {0};
    for (long e = 0; e < E; e += VL) total = vfma(vload_n(g + t * vs + e, E - e), vload_n(o + t * vs + e, E - e), total);
    common[t] = fold_sum(total) - (g_log_sum ? g_log_sum[t] : 0);
  }
  for (long k0 = 0; k0 < S; k0 += keys) {
    const long nk = min_l(keys, S - k0);
    att_gather(k + k0 * qs, qs, nk, D, 1, kb);
    transpose2d_32(kb, D, turned, keys, nk, D);
    transpose2d_32(v + k0 * vs, vs, v_turned, keys, nk, E);
    memset(dkb, 0, sizeof(float) * (size_t)(nk * D));
    memset(dvb, 0, sizeof(float) * (size_t)(nk * E));
    for (long q0 = a->causal ? k0 / queries * queries : 0; q0 < T; q0 += queries) {
      const long q1 = min_l(T, q0 + queries), first = a->causal ? max_l(q0, k0) : q0, rows = q1 - first;
      if (rows <= 0) continue;
      const long width = a->causal ? min_l(nk, q1 - k0) : nk;
      att_gather(q + first * qs, qs, rows, D, a->scale, qb);
      att_gather(g + first * vs, vs, rows, E, 1, gb);
      att_scores(rows, width, D, qb, turned, keys, s, scratch);
      att_scores(rows, width, E, gb, v_turned, keys, d, scratch);
      for (long r = 0; r < rows; r++) {
        const long seen = a->causal ? min_l(width, first + r - k0 + 1) : width;
        att_row_backward(a, s + r * keys, d + r * keys, seen, width, log_sum[first + r], common[first + r],
                         place + (uint32_t)((first + r) * S + k0));
      }
      sgemm(width, E, rows, s, 1, keys, gb, E, 1, dvb, E, true, NULL, scratch);
      sgemm(width, D, rows, d, 1, keys, qb, D, 1, dkb, D, true, NULL, scratch);
      float *out = dq + first * qs;
      sgemm(rows, D, width, d, keys, 1, kb, D, 1, out, qs, k0 > 0, NULL, scratch);
      const long done = k0 + nk == S ? q1 : a->causal ? min_l(q1, k0 + nk) : first;
      for (long r = 0; r < done - first; r++) att_scale(out + r * qs, D, a->scale);
    }
    for (long r = 0; r < nk; r++) {
      memcpy(dk + (k0 + r) * qs, dkb + r * D, sizeof(float) * (size_t)D);
      memcpy(dv + (k0 + r) * vs, dvb + r * E, sizeof(float) * (size_t)E);
    }
  }
}

static void attention_backward(const AccAttention *a, const float *q, const float *k, const float *v, const float *o,
                               const float *log_sum, const float *g, const float *g_log_sum, float *dq, float *dk, float *dv, long u0,
                               long u1, void *scratch) {
  for (long u = u0; u < u1; u++) {
    const long n = u / a->H, h = u % a->H, x = n * a->T * a->H + h, y = n * a->S * a->H + h;
    attention_unit_backward(a, q + x * a->D, k + y * a->D, v + y * a->E, o + x * a->E, log_sum + u * a->T, g + x * a->E,
                            g_log_sum ? g_log_sum + u * a->T : NULL, dq + x * a->D, dk + y * a->D, dv + y * a->E, att_place(a, u),
                            scratch);
  }
}
