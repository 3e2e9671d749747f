/* SPDX-License-Identifier: GPL-2.0 */
/* What sigmactl prints for programs: json-c, with the few shapes that are used here. */
#ifndef SIGMACTL_JSON_H
#define SIGMACTL_JSON_H

#include <json-c/json.h>
#include <stdint.h>

/** json_add_string - NULL becomes null */
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);

struct guest_view;

/** json_add_counters - those that sigma.ko keeps of the guest */
void json_add_counters(struct json_object *object, const struct guest_view *guest);

/** json_print - to stdout over several lines, and free it */
void json_print(struct json_object *object);

/** json_print_line - the same in one line, at once, for who reads a stream of them */
void json_print_line(struct json_object *object);

#endif
