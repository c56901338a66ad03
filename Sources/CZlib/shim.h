// The system's zlib. Its initialisers are macros, which Swift cannot call, so each gets a function here.
#ifndef ACCELERANDO_CZLIB_SHIM_H
#define ACCELERANDO_CZLIB_SHIM_H
#include <zlib.h>

static inline int accelerando_inflate_init(z_stream *stream, int window_bits) {
  return inflateInit2(stream, window_bits);
}

static inline int accelerando_deflate_init(z_stream *stream, int level, int window_bits) {
  return deflateInit2(stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}

#endif
