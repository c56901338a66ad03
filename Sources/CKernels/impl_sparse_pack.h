// Packing a matrix without its zeros: which column goes to which lane, and in which order its numbers come. `impl_sparse.h` says
// what the forms are good for.

#if VL == 16
enum { sparseWindow = 32, sparseAlign = 16 };
#elif VL == 8
enum { sparseWindow = 16, sparseAlign = 8 };
#else
enum { sparseWindow = 128, sparseAlign = 1 };
#endif
enum { sparseBlock = 256, sparsePanel = 64, sparseChains = 2, sparseFewRows = 4 };

static long sparse_panels(long N) { return ceil_div(max_l(N, 0), sparsePanel); }
static long round_64(long n) { return (n + 63) / 64 * 64; }

// Where things lie in the packed memory, from its beginning.
typedef struct SparseLayout {
  long starts, places, values, bases, order, bytes, most; // most: steps, or numbers
} SparseLayout;

INLINE SparseLayout sparse_layout(int form, long K, long N) {
  SparseLayout l = {.starts = round_64(sizeof(AccSparse))};
  const long panels = sparse_panels(N);
  if (form == accSparseColumns) {
    const long groups = panels * (sparsePanel / VL);
    l.most = ceil_div(3 * K * ceil_div(N, VL), 4) + groups * sparseChains;
    l.order = l.starts + round_64(8 * (groups + 1));
    l.bases = l.order + round_64(panels * sparsePanel);
    l.places = l.bases + round_64(4 * l.most);
    l.values = l.places + round_64(VL * l.most);
    l.bytes = l.values + 4 * VL * l.most;
  } else {
    const long lists = panels * sparsePanel * ceil_div(K, sparseBlock);
    l.most = ceil_div(5 * K * N, 8) + lists * sparseChains;
    l.order = l.starts + round_64(8 * (lists + 1));
    l.places = l.order + round_64(lists);
    l.values = l.places + round_64(2 * l.most);
    l.bytes = l.values + 4 * l.most;
  }
  return l;
}

static long sparse_bytes(long K, long N) {
  if (K <= 0 || N <= 0) return round_64(sizeof(AccSparse));
  return max_l(sparse_layout(accSparseColumns, K, N).bytes, sparse_layout(accSparseRows, K, N).bytes);
}

// Columns n0... of the matrix next to each other, width of them, those that do not exist as zeros.
static void sparse_fetch(long K, long N, const float *B, long b_rs, long b_cs, long n0, long width, float *out) {
  const long columns = min_l(width, N - n0);
  for (long k = 0; k < K; k++)
    for (long n = 0; n < width; n++) out[k * width + n] = n < columns ? B[k * b_rs + (n0 + n) * b_cs] : 0.0f;
}

// How many numbers the columns of a panel have.
static void sparse_counts(long rows, const float *panel, int32_t counts[sparsePanel]) {
  for (int n = 0; n < sparsePanel; n++) counts[n] = 0;
  for (long k = 0; k < rows; k++) for (int n = 0; n < sparsePanel; n++) counts[n] += panel[k * sparsePanel + n] != 0;
}

// Numbers `first`, first + step, first + 2 step, ... of a column; and where in it the next of them stands.
typedef struct SparseLane {
  int32_t count, first, step;
  uint8_t column;
  long next;
} SparseLane;

INLINE void sparse_advance(SparseLane *lane, long K, const float *panel, long numbers) {
  for (; lane->next < K; lane->next++)
    if (panel[lane->next * sparsePanel + lane->column] != 0 && numbers-- == 0) return;
}

// Gives the columns of a panel to lanes: each to one, and the longest ones' halves to lanes that are left. Longest first.
static long sparse_lanes(long columns, const int32_t counts[sparsePanel], SparseLane lanes[sparsePanel]) {
  const long all = ceil_div(columns, VL) * VL;
  for (long n = 0; n < all; n++) {
    SparseLane lane = {.count = n < columns ? counts[n] : 0, .step = 1, .column = (uint8_t)n};
    if (n >= columns) { // half of the longest
      SparseLane longest = lanes[0];
      lane = (SparseLane){longest.count / 2, longest.first + longest.step, 2 * longest.step, longest.column, 0};
      longest.count -= lane.count;
      longest.step *= 2;
      long i = 0;
      for (; i + 1 < n && lanes[i + 1].count > longest.count; i++) lanes[i] = lanes[i + 1];
      lanes[i] = longest;
    }
    long i = n;
    for (; i > 0 && lanes[i - 1].count < lane.count; i--) lanes[i] = lanes[i - 1];
    lanes[i] = lane;
  }
  return all;
}

static bool sparse_pack_columns(AccSparse *s, const float *B, long b_rs, long b_cs, float *scratch) {
  const long K = s->K, N = s->N, groups = sparse_panels(N) * (sparsePanel / VL);
  const SparseLayout l = sparse_layout(accSparseColumns, K, N);
  char *base = (char *)s;
  int64_t *starts = (int64_t *)(base + l.starts);
  uint8_t *order = (uint8_t *)(base + l.order);
  int32_t *bases = (int32_t *)(base + l.bases);
  uint8_t *places = (uint8_t *)(base + l.places);
  float *values = (float *)(base + l.values);
  SparseLane lanes[sparsePanel];
  long step = 0, lanesOfPanel = 0;
  for (long g = 0; g < groups; g++) {
    const long slot = g % (sparsePanel / VL) * VL; // in the panel
    starts[g] = step;
    if (slot == 0) {
      int32_t counts[sparsePanel];
      sparse_fetch(K, N, B, b_rs, b_cs, g * VL, sparsePanel, scratch);
      sparse_counts(K, scratch, counts);
      lanesOfPanel = sparse_lanes(min_l(sparsePanel, N - g * VL), counts, lanes);
    }
    if (slot >= lanesOfPanel) continue;
    SparseLane *lane = lanes + slot;
    for (int i = 0; i < VL; i++) {
      order[g * VL + i] = lane[i].column;
      lane[i].next = 0;
      sparse_advance(&lane[i], K, scratch, lane[i].first);
    }
    while (true) {
      long first = K;
      for (int i = 0; i < VL; i++) first = min_l(first, lane[i].next);
      // An even number of steps, one for each chain.
      if (first == K && (step - starts[g]) % sparseChains == 0) break;
      if (step == l.most) return false;
      const long from = max_l(0, min_l(first / sparseAlign * sparseAlign, K - sparseWindow));
      bases[step] = (int32_t)from;
      for (int i = 0; i < VL; i++) {
        const long k = lane[i].next;
        const bool isIn = k < K && k < from + sparseWindow;
        places[step * VL + i] = isIn ? (uint8_t)(k - from) : 0;
        values[step * VL + i] = isIn ? scratch[k * sparsePanel + lane[i].column] : 0.0f;
        s->nonzeros += isIn;
        if (!isIn) continue;
        lane[i].next++;
        sparse_advance(&lane[i], K, scratch, lane[i].step - 1);
      }
      step++;
    }
  }
  starts[groups] = step;
  s->steps = step;
  s->bytes = step * (5 * VL + 4);
  return true;
}

static bool sparse_pack_rows(AccSparse *s, const float *B, long b_rs, long b_cs, float *scratch) {
  const long K = s->K, N = s->N, panels = sparse_panels(N);
  const SparseLayout l = sparse_layout(accSparseRows, K, N);
  char *base = (char *)s;
  int64_t *starts = (int64_t *)(base + l.starts);
  uint8_t *order = (uint8_t *)(base + l.order);
  uint16_t *places = (uint16_t *)(base + l.places);
  float *values = (float *)(base + l.values);
  long number = 0, list = 0;
  for (long k0 = 0; k0 < K; k0 += sparseBlock) {
    const long rows = min_l(sparseBlock, K - k0);
    for (long p = 0; p < panels; p++) {
      sparse_fetch(rows, N, B + k0 * b_rs, b_rs, b_cs, p * sparsePanel, sparsePanel, scratch);
      int32_t counts[sparsePanel];
      uint8_t sorted[sparsePanel];
      sparse_counts(rows, scratch, counts);
      for (int n = 0; n < sparsePanel; n++) {
        int i = n;
        for (; i > 0 && counts[sorted[i - 1]] < counts[n]; i--) sorted[i] = sorted[i - 1];
        sorted[i] = (uint8_t)n;
      }
      for (int i = 0; i < sparsePanel; i++, list++) {
        const int n = sorted[i];
        starts[list] = number;
        order[list] = (uint8_t)n;
        if (number + counts[n] + sparseChains > l.most) return false;
        for (long k = 0; k < rows; k++) {
          if (scratch[k * sparsePanel + n] == 0) continue;
          places[number] = (uint16_t)k;
          values[number++] = scratch[k * sparsePanel + n];
        }
        s->nonzeros += counts[n];
        for (; (number - starts[list]) % sparseChains; number++) { // times a row of zeros
          places[number] = sparseBlock;
          values[number] = 0.0f;
        }
      }
    }
  }
  starts[list] = number;
  s->steps = number;
  s->bytes = number * 6 + list * 9;
  return true;
}

static long sparse_nonzeros(long K, long N, const float *B, long b_rs, long b_cs) {
  long count = 0;
  const bool byRows = b_cs <= b_rs;
  for (long i = 0; i < (byRows ? K : N); i++) {
    const float *p = B + i * (byRows ? b_rs : b_cs);
    const long step = byRows ? b_cs : b_rs, length = byRows ? N : K;
    int32_t here = 0;
    if (step == 1) for (long j = 0; j < length; j++) here += p[j] != 0;
    else for (long j = 0; j < length; j++) here += p[j * step] != 0;
    count += here;
  }
  return count;
}

static long sparse_pack_scratch_bytes(long K, long N) {
  return K <= 0 || N <= 0 ? 0 : 4 * K * sparsePanel + 64;
}

static bool sparse_pack(int form, long K, long N, const float *B, long b_rs, long b_cs, void *packed, void *scratch) {
  AccSparse *s = packed;
  *s = (AccSparse){.K = K, .N = N};
  if (form == accSparseNone || K < sparseWindow || N <= 0) return false;
  if (!(form == accSparseColumns ? sparse_pack_columns : sparse_pack_rows)(s, B, b_rs, b_cs, scratch)) return false;
  s->form = form;
  return true;
}
