// Optimizer updates: one pass over memory, every operation rounded on its own so that any vector width gives the same bits.

static void adam(const float *w, const float *m, const float *v, const float *g, float *w_out, float *m_out, float *v_out, long n,
                 float alpha, float one_minus_beta1, float one_minus_beta2, float eps, float weight_decay_times_lr) {
  const float wd = weight_decay_times_lr;
#define STEP(load, store)                                                                                                          \
  {                                                                                                                                \
    const vf gi = load(g + i), mi = load(m + i), vi_ = load(v + i), wi = load(w + i);                                              \
    const vf m1 = mi + (gi - mi) * one_minus_beta1, v1 = vi_ + (gi * gi - vi_) * one_minus_beta2;                                  \
    store(m_out + i, m1);                                                                                                          \
    store(v_out + i, v1);                                                                                                          \
    store(w_out + i, (wi - wi * wd) - (m1 * alpha) / (vsqrt(v1) + eps));                                                           \
  }
#define LOAD_TAIL(p) vload_n(p, n - i)
#define STORE_TAIL(p, x) vstore_n(p, n - i, x)
  long i = 0;
  for (; i + VL <= n; i += VL) STEP(vload, vstore)
  if (i < n) STEP(LOAD_TAIL, STORE_TAIL)
#undef STEP
}

static void sgd_momentum(const float *w, const float *vel, const float *g, float *w_out, float *vel_out, long n, float lr,
                         float momentum, bool nesterov) {
  for (long i = 0; i < n; i += VL) {
    const long lanes = n - i;
    const vf step = vload_n(g + i, lanes) * lr, v1 = vload_n(vel + i, lanes) * momentum - step, wi = vload_n(w + i, lanes);
    vstore_n(vel_out + i, lanes, v1);
    vstore_n(w_out + i, lanes, wi + (nesterov ? v1 * momentum - step : v1));
  }
}

static void sgd(const float *w, const float *g, float *w_out, long n, float lr) {
  for (long i = 0; i < n; i += VL) vstore_n(w_out + i, n - i, vload_n(w + i, n - i) - vload_n(g + i, n - i) * lr);
}
#undef LOAD_TAIL
#undef STORE_TAIL
