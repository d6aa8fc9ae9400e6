/* nothing.c — the engine alone, for looking at its symbols. */
#include "engine.h"

SS_EXPORT int run(void);
int run(void) { return 0; }
