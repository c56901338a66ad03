// Counts the calls that take memory from the heap, so that a test can show that there are none.
#ifndef CALLOCATIONCOUNTER_H
#define CALLOCATIONCOUNTER_H

/// How often the calling thread has called malloc, calloc, realloc or an aligned form; -1 where they cannot be counted.
long allocation_count(void);

#endif
