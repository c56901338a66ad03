// The one place where a method of a plugin's table is called. Swift cannot call through untyped function pointers.

#include "CPJRT.h"

_Static_assert(sizeof(void *) == 8, "the layouts are those of 64-bit systems");
_Static_assert(sizeof(PjrtApi) == 40, "the methods follow the table's head");

void *pjrt_call(const PjrtApi *api, int method, void *arguments) {
  // Two methods give nothing back, not even an error.
  if (method == PjrtErrorDestroy || method == PjrtErrorMessage) {
    void (*const *procedures)(void *) = (void (*const *)(void *))(api + 1);
    procedures[method](arguments);
    return NULL;
  }
  void *(*const *functions)(void *) = (void *(*const *)(void *))(api + 1);
  return functions[method](arguments);
}
