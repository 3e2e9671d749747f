/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the schema in C. Results are allocated, and kept until the program ends. */
#ifndef IDL_NAMES_H
#define IDL_NAMES_H

#include <stdbool.h>

/** name_snake - getDirentries: get_direntries; HTTPServer: http_server */
char *name_snake(const char *name);

/** name_upper - in capitals */
char *name_upper(const char *name);

/** name_taken - why a field, or a method, may not be called so in C; NULL: it may */
const char *name_taken(const char *name, bool is_method);

#endif
