#include "CPNG.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <string.h>

// libpng's types, as far as their contents do not matter here. Its interface of version 1.6 is fixed.
typedef struct png_struct png_struct;
typedef struct png_info png_info;
typedef void (*message_function)(png_struct *, const char *);
typedef void (*read_function)(png_struct *, uint8_t *, size_t);

enum {
  GET_VERSION, CREATE, CREATE_INFO, DESTROY, GET_ERROR, SET_READ, GET_IO, READ_INFO, GET_IHDR, EXPAND, STRIP_16, INTERLACE,
  UPDATE, GET_CHANNELS, GET_ROW_BYTES, READ_ROW, READ_END, GET_DEPTH, FUNCTION_COUNT
};

static const char *const names[FUNCTION_COUNT] = {
    "png_get_libpng_ver", "png_create_read_struct", "png_create_info_struct", "png_destroy_read_struct", "png_get_error_ptr",
    "png_set_read_fn", "png_get_io_ptr", "png_read_info", "png_get_IHDR", "png_set_expand", "png_set_strip_16",
    "png_set_interlace_handling", "png_read_update_info", "png_get_channels", "png_get_rowbytes", "png_read_row",
    "png_read_end", "png_get_bit_depth",
};

typedef const char *(*get_version_function)(const png_struct *);
typedef png_struct *(*create_function)(const char *, void *, message_function, message_function);
typedef png_info *(*create_info_function)(const png_struct *);
typedef void (*destroy_function)(png_struct **, png_info **, png_info **);
typedef void *(*get_pointer_function)(const png_struct *);
typedef void (*set_read_function)(png_struct *, void *, read_function);
typedef void (*with_info_function)(png_struct *, png_info *);
typedef uint32_t (*get_ihdr_function)(
    const png_struct *, const png_info *, uint32_t *, uint32_t *, int *, int *, int *, int *, int *);
typedef void (*set_function)(png_struct *);
typedef int (*interlace_function)(png_struct *);
typedef uint8_t (*get_byte_function)(const png_struct *, const png_info *);
typedef size_t (*get_size_function)(const png_struct *, const png_info *);
typedef void (*read_row_function)(png_struct *, uint8_t *, uint8_t *);

// One file being read.
typedef struct {
  const uint8_t *next;
  size_t left;
  char *message;
  jmp_buf failure;
} Reading;

static void *functions[FUNCTION_COUNT];
#define CALL(type, index) ((type)functions[index])

const char *acc_png_load(void *handle) {
  for (int index = 0; index < FUNCTION_COUNT; index++) {
    functions[index] = dlsym(handle, names[index]);
    if (!functions[index]) return names[index];
  }
  return NULL;
}

static void note(char *message, const char *text) {
  strncpy(message, text, 127);
  message[127] = 0;
}

static _Noreturn void fail(Reading *reading, const char *text) {
  note(reading->message, text);
  longjmp(reading->failure, 1);
}

static void on_error(png_struct *png, const char *text) {
  fail(CALL(get_pointer_function, GET_ERROR)(png), text);
}

static void on_warning(png_struct *png, const char *text) {
  (void)png;
  (void)text;
}

static void on_read(png_struct *png, uint8_t *target, size_t count) {
  Reading *reading = CALL(get_pointer_function, GET_IO)(png);
  if (count > reading->left) fail(reading, "the file ends before its image does");
  memcpy(target, reading->next, count);
  reading->next += count;
  reading->left -= count;
}

int acc_png_read(
    const uint8_t *bytes, size_t count, AccPNGHeader *header, uint8_t *pixels, size_t capacity, char *message) {
  Reading reading = {.next = bytes, .left = count, .message = message};
  png_struct *volatile png = NULL;
  png_info *volatile info = NULL;
  volatile int is_read = 0;
  message[0] = 0;
  if (!setjmp(reading.failure)) {
    png = CALL(create_function, CREATE)(CALL(get_version_function, GET_VERSION)(NULL), &reading, on_error, on_warning);
    if (!png) fail(&reading, "libpng cannot be used: it is not version 1.6");
    info = CALL(create_info_function, CREATE_INFO)(png);
    if (!info) fail(&reading, "there is no memory left");
    CALL(set_read_function, SET_READ)(png, &reading, on_read);
    CALL(with_info_function, READ_INFO)(png, info);
    int depth, color, interlace, compression, filter;
    uint32_t width, height;
    CALL(get_ihdr_function, GET_IHDR)(png, info, &width, &height, &depth, &color, &interlace, &compression, &filter);
    CALL(set_function, EXPAND)(png);
    CALL(set_function, STRIP_16)(png);
    int passes = CALL(interlace_function, INTERLACE)(png);
    CALL(with_info_function, UPDATE)(png, info);
    header->width = width;
    header->height = height;
    header->channels = CALL(get_byte_function, GET_CHANNELS)(png, info);
    if (CALL(get_byte_function, GET_DEPTH)(png, info) != 8) fail(&reading, "its pixels cannot be converted to bytes");
    size_t row = CALL(get_size_function, GET_ROW_BYTES)(png, info);
    if (pixels) {
      if (row == 0 || height > capacity / row) fail(&reading, "the image is larger than its header said");
      for (int pass = 0; pass < passes; pass++) {
        for (uint32_t line = 0; line < height; line++) {
          CALL(read_row_function, READ_ROW)(png, pixels + (size_t)line * row, NULL);
        }
      }
      CALL(with_info_function, READ_END)(png, NULL);
    }
    is_read = 1;
  }
  if (png) {
    png_struct *last = png;
    png_info *last_info = info;
    CALL(destroy_function, DESTROY)(&last, &last_info, NULL);
  }
  return is_read;
}
