// libpng, loaded at run time. It reports errors by a jump out of its calls, which only C can receive: so its calls are made
// here, and Swift sees functions that return.
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

// What a file says about its image, and how its pixels are delivered.
typedef struct {
  uint32_t width, height;
  // 1 gray, 2 gray and opacity, 3 red, green and blue, 4 these and opacity; 8 bits each.
  uint32_t channels;
} AccPNGHeader;

// Looks up the functions in a library that dlopen returned; call it once, before any other function. Returns the name of one
// that is missing, or NULL.
const char *acc_png_load(void *handle);

// Reads a file of `count` bytes: the header, and if `pixels` is not NULL also the image, row by row, into `capacity` bytes.
// Returns 1, or 0 with the reason in `message`, 128 bytes.
int acc_png_read(
    const uint8_t *bytes, size_t count, AccPNGHeader *header, uint8_t *pixels, size_t capacity, char *message);

#endif
