/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is kept until the program ends, which is soon. Without memory it ends at once. */
#ifndef IDL_MEMORY_H
#define IDL_MEMORY_H

#include <stddef.h>

/** keep - @size bytes of zeroes */
void *keep(size_t size);

/** text - like asprintf(3) */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
