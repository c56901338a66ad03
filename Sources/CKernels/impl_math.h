// Vectorised elementary functions. Polynomials were fitted for the intervals named here (minimax, weighted by the relative
// error of the result); the worst errors in the comments are measured over a dense sweep of all binades against double.
// All of them treat infinities, NaN and denormals as IEEE arithmetic would (denormals as zero when the thread flushes).

INLINE vf poly(vf x, const float *c, const int degree) {
  vf p = vset(c[degree]);
  UNROLL for (int i = degree - 1; i >= 0; i--) p = vfma(p, x, vset(c[i]));
  return p;
}
#define POLY(x, ...) poly(x, (const float[]){__VA_ARGS__}, (int)(sizeof((float[]){__VA_ARGS__}) / sizeof(float)) - 1)

INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }
INLINE vf vcopysign(vf magnitude, vf sign) { return (vf)(((vi)magnitude & 0x7fffffff) | ((vi)sign & INT32_MIN)); }
INLINE vf vexponent(vi n) { return (vf)((n + 127) << 23); } // 2^n for n in -126...127

// x = n ln2 + r, |r| <= ln2/2; returns r and n. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
INLINE vf exp_reduce(vf x, vi *n) {
  const vf shifter = vset(12582912.0f), t = vfma(x, vset(1.44269504f), shifter), k = t - shifter;
  *n = (vi)t - 0x4b400000;
  const vf r = vfma(k, vset(-0.693359375f), x);
  return vfma(k, vset(2.12194440e-4f), r);
}
// (e^r - 1 - r) / r^2 for |r| <= ln2/2, relative error of e^r 3e-9.
INLINE vf exp_tail(vf r) { return POLY(r, 0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23ccp-10f); }

#if ACC_AVX512
// e^x for x in -105...89.5 or NaN. One instruction multiplies by 2^n, with denormal results and infinity as they should be.
INLINE vf exp_between(vf x) {
  const vf shifter = vset(12582912.0f), k = vfma(x, vset(1.44269504f), shifter) - shifter;
  const vf r = vfma(k, vset(2.12194440e-4f), vfma(k, vset(-0.693359375f), x));
  return (vf)_mm512_scalef_ps((__m512)(vfma(r * r, exp_tail(r), r) + 1.0f), (__m512)k);
}
// e^x, 1.0 ULP. Of two operands of which one is NaN, the limits give the second.
INLINE vf vexp(vf x) { return exp_between((vf)_mm512_max_ps((__m512)vset(-105.0f), _mm512_min_ps((__m512)vset(89.5f), (__m512)x))); }
// e^-|x|, 1.0 ULP.
INLINE vf vexp_falling(vf x) { return exp_between((vf)_mm512_max_ps((__m512)vset(-105.0f), (__m512)((vi)x | INT32_MIN))); }
#else
// e^x, 1.0 ULP.
INLINE vf vexp(vf x) {
  vi n;
  const vf r = exp_reduce(x, &n), p = vfma(r * r, exp_tail(r), r) + 1.0f;
  const vi half = n >> 1; // two factors, so that denormal results and 2^128 come out right
  vf y = p * vexponent(half) * vexponent(n - half);
  y = vsel(x > 88.7228394f, vset(INFINITY), y);
  y = vsel(x < -104.0f, vset(0.0f), y);
  return vsel(x == x, y, x);
}
// e^-|x|, 1.0 ULP.
INLINE vf vexp_falling(vf x) { return vexp((vf)((vi)x | INT32_MIN)); }
#endif

// e^x - 1, 1.5 ULP.
INLINE vf vexpm1(vf x) {
  vi n;
  const vf r = exp_reduce(x, &n), p = vfma(r * r, exp_tail(r), r);
  const vi half = n >> 1;
  // 2^n p + (2^n - 1), with 2^n as half of itself twice so that n = 128 does not overflow too early
  const vf s = vexponent(n - 1), y = vfma(s, p, s - 0.5f) * 2.0f;
  const vf big = (p + 1.0f) * vexponent(half) * vexponent(n - half);
  vf z = vsel(n == 0, p, vsel(x > 30.0f, big, y));
  z = vsel(x < -17.5f, vset(-1.0f), z);
  z = vsel(x > 88.7228394f, vset(INFINITY), z);
  return vsel((x == x) & (x != 0.0f), z, x);
}

// log(1 + f) for 1 + f in sqrt(1/2)...sqrt(2), relative error 6e-9, without its leading f.
INLINE vf log_tail(vf f) {
  const vf p = POLY(f, 0x1.555554p-2f, -0x1.000228p-2f, 0x1.99a008p-3f, -0x1.547244p-3f, 0x1.22da22p-3f, -0x1.0d8552p-3f, 0x1.055b46p-3f,
                    -0x1.38b4ccp-4f);
  const vf q = f * f;
  return vfma(q * f, p, -0.5f * q);
}
// x = 2^e (1 + f) for positive x
INLINE vf log_reduce(vf x, vf *e) {
  const vi tiny = x < 0x1p-126f;
  const vf y = vsel(tiny, x * 0x1p23f, x);
  const vi bits = (vi)y - 0x3f3504f3, n = bits >> 23; // 0x3f3504f3: sqrt(1/2)
  *e = __builtin_convertvector(n - (tiny & 23), vf);
  return (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
}

// Natural logarithm, 0.9 ULP.
INLINE vf vlog(vf x) {
  vf e;
  const vf f = log_reduce(x, &e), t = vfma(e, vset(-2.12194440e-4f), log_tail(f));
  vf y = vfma(e, vset(0.693359375f), f + t);
  y = vsel(x == 0.0f, vset(-INFINITY), y);
  y = vsel(x < 0.0f, vset(NAN), y);
  return vsel(x < INFINITY, y, x); // +inf and NaN map to themselves
}

// log(1 + x), 0.9 ULP.
INLINE vf vlog1p(vf x) {
  const vf u = x + 1.0f;
  vf e;
  const vf f = log_reduce(u, &e);
  const vf lost = vsel(x > 1.0f, (1.0f - (u - x)), (x - (u - 1.0f))) / u; // what rounding 1 + x dropped
  const vf t = vfma(e, vset(-2.12194440e-4f), log_tail(f)) + lost;
  vf y = vfma(e, vset(0.693359375f), f + t);
  y = vsel(x == -1.0f, vset(-INFINITY), y);
  y = vsel(x < -1.0f, vset(NAN), y);
  y = vsel(vabs(x) < 0x1p-25f, x, y);
  return vsel(x < INFINITY, y, x);
}

// tanh, 1.4 ULP: a polynomial below 0.6, 1 - 2 e^-2x / (1 + e^-2x) above.
INLINE vf vtanh(vf x) {
  const vf a = vabs(x), q = x * x;
  const vf small = vfma(x * q, POLY(q, -0x1.55553ep-2f, 0x1.1109aep-3f, -0x1.b898dep-5f, 0x1.54b8a4p-6f, -0x1.825866p-8f), x);
  const vf z = vexp_falling(a + a), large = 1.0f - (z + z) / (1.0f + z);
  return vcopysign(vsel(a < 0.6f, small, large), x);
}

// 1 / (1 + e^-x), 2.3 ULP, with full accuracy far to the left.
INLINE vf vlogistic(vf x) {
  const vf z = vexp_falling(x);
  return vsel(x < 0.0f, z, vset(1.0f)) / (z + 1.0f);
}

// erf, 1.1 ULP: a polynomial below 1, 1 - e^p(x) above, 1 from 4.
INLINE vf verf(vf x) {
  const vf a = vabs(x), q = x * x;
  const vf small = vfma(x, POLY(q, 0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f, -0x1.b7f912p-6f, 0x1.5405dp-8f, -0x1.a3f7bap-11f,
                                0x1.496bf8p-14f), x);
  const vf t = vsel(a < 4.0f, a, vset(4.0f)) - 1.0f;
  const vf p = POLY(t, -0x1.d97fcp+0f, -0x1.51c9bp+1f, -0x1.afabbap-1f, -0x1.547d16p-5f, 0x1.4934e6p-7f, -0x1.07bad6p-9f, 0x1.2fa814p-12f,
                    -0x1.6c06a6p-16f);
  const vf y = vsel(a < 1.0f, small, vcopysign(1.0f - vexp(p), x));
  return vsel(x == x, y, x);
}

INLINE vf vsqrt(vf x) { return __builtin_elementwise_sqrt(x); }

// Rounding. Below 2^23 adding and subtracting 2^23 rounds to nearest even; above, every float is an integer.
INLINE vf vround_even(vf x) {
#if ACC_AVX512 || ACC_AVX2
  return __builtin_elementwise_roundeven(x);
#else
  const vf a = vabs(x), big = vset(0x1p23f);
  return vsel(a < big, vcopysign((a + big) - big, x), x);
#endif
}
INLINE vf vtrunc(vf x) {
#if ACC_AVX512 || ACC_AVX2
  return __builtin_elementwise_trunc(x);
#else
  const vf r = vround_even(x), t = vabs(r);
  return vcopysign(vsel(t > vabs(x), t - 1.0f, r), x);
#endif
}
INLINE vf vfloor(vf x) {
#if ACC_AVX512 || ACC_AVX2
  return __builtin_elementwise_floor(x);
#else
  const vf r = vround_even(x);
  return vcopysign(vsel(r > x, r - 1.0f, r), x);
#endif
}
INLINE vf vceil(vf x) { return (vf)((vi)vfloor((vf)((vi)x ^ INT32_MIN)) ^ INT32_MIN); }
INLINE vf vround_away(vf x) {
  const vf t = vtrunc(x), up = t + vcopysign(vset(1.0f), x);
  return vsel(vabs(x - t) >= 0.5f, up, t);
}

// Through half precision: nearest even, overflow to infinity, denormal halves kept. Returned as the 16 bits in each lane.
INLINE vi f16_bits(vf x) {
  const vi sign = ((vi)x >> 16) & 0x8000, a = (vi)x & 0x7fffffff;
  const vi normal = (a - 0x38000000 + 0xfff + ((a >> 13) & 1)) >> 13;
  // Below the smallest normal half, adding 0.5 lines the bits up (and rounds).
  const vi denormal = (vi)((vf)a + 0.5f) - 0x3f000000;
  vi h = vseli(a < 0x38800000, denormal, normal);
  h = vseli(a >= 0x47800000, vseti(0x7c00), h);
  h = vseli(a > 0x7f800000, vseti(0x7e00), h);
  return h | sign;
}
INLINE vf f16_value(vi h) {
  const vi sign = (h & 0x8000) << 16, a = (h & 0x7fff) << 13;
  const vf normal = (vf)(a + 0x38000000);
  const vf denormal = __builtin_convertvector(h & 0x3ff, vf) * 0x1p-24f;
  vi y = vseli(a < 0x00800000, (vi)denormal, (vi)normal);
  y = vseli(a >= 0x0f800000, a + 0x70000000, y);
  return (vf)(y | sign);
}
INLINE vi bf16_bits(vf x) {
  const vi b = (vi)x;
  const vi r = (vi)((vu)(b + 0x7fff + ((b >> 16) & 1)) >> 16), nan = (vi)((vu)b >> 16) | 0x40;
  return vseli(x == x, r, nan);
}
INLINE vf bf16_value(vi h) { return (vf)(h << 16); }

// Truncate toward zero and saturate; NaN gives 0.
INLINE vi f_to_i(vf x) {
  const vi high = x >= 0x1p31f, low = x < -0x1p31f, ok = (x == x) & ~high & ~low;
  const vi y = __builtin_convertvector((vf)((vi)x & ok), vi);
  return vseli(high, vseti(INT32_MAX), vseli(low, vseti(INT32_MIN), y));
}
INLINE vi f_to_u(vf x) {
  const vi high = x >= 0x1p32f, upper = (x >= 0x1p31f) & ~high, lower = (x > 0.0f) & (x < 0x1p31f);
  const vi low_part = __builtin_convertvector((vf)((vi)x & lower), vi);
  const vi high_part = __builtin_convertvector((vf)((vi)(x - 0x1p31f) & upper), vi) ^ INT32_MIN;
  return vseli(high, vseti(-1), vseli(upper, high_part, low_part & lower));
}
