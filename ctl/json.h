/* SPDX-License-Identifier: GPL-2.0 */
/* The output of sigmactl for programs, by json-c. */
#ifndef SIGMACTL_JSON_H
#define SIGMACTL_JSON_H

#include <json-c/json.h>
#include <stdint.h>

/** json_add_string - add a string; NULL becomes null */
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);

struct guest_view;

/** json_add_counters - add the guest's counters that sigma.ko has */
void json_add_counters(struct json_object *object, const struct guest_view *guest);

/** json_print - print the object on stdout in several lines, and free it */
void json_print(struct json_object *object);

/** json_print_line - print the object in one line, flush stdout, and free the object */
void json_print_line(struct json_object *object);

#endif
