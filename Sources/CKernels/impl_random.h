// Random bits: the block cipher Threefry-2x32 with 20 rounds. A round depends on the one before, so a few vectors go through
// the rounds side by side; written one after another they would wait in the processor's scheduler, which is too short to
// reach the next.

enum { rndVectors = 4 };

INLINE vu rnd_rotate(vu x, int n) { return x << n | x >> (32 - n); }

// x and y become the two words; key[0] and key[1] are the key. Of each: rndVectors vectors.
INLINE void rnd_rounds(vu *x, vu *y, const vu *first, const vu *second) {
#define EACH UNROLL for (int j = 0; j < rndVectors; j++)
#define ROUND(n) EACH x[j] += y[j]; EACH y[j] = rnd_rotate(y[j], n); EACH y[j] ^= x[j];
#define ROUNDS(a, b, c, d) ROUND(a) ROUND(b) ROUND(c) ROUND(d)
#define KEY(p, q, n) EACH x[j] += p[j]; EACH y[j] += q[j] + n;
  vu parity[rndVectors];
  EACH parity[j] = first[j] ^ second[j] ^ 0x1BD11BDAu;
  EACH x[j] = first[j];
  EACH y[j] += second[j];
  ROUNDS(13, 15, 26, 6) KEY(second, parity, 1u)
  ROUNDS(17, 29, 16, 24) KEY(parity, first, 2u)
  ROUNDS(13, 15, 26, 6) KEY(first, second, 3u)
  ROUNDS(17, 29, 16, 24) KEY(second, parity, 4u)
  ROUNDS(13, 15, 26, 6) KEY(parity, first, 5u)
#undef ROUNDS
#undef ROUND
#undef KEY
}

// The XOR of both words for rndVectors vectors of numbers under one key, in place.
INLINE void rnd_bits(vu *y, uint32_t first, uint32_t second) {
  vu x[rndVectors], a[rndVectors], b[rndVectors];
  EACH a[j] = (vu){0} + first;
  EACH b[j] = (vu){0} + second;
  rnd_rounds(x, y, a, b);
  EACH y[j] ^= x[j];
}
#undef EACH
