// SPDX-License-Identifier: GPL-2.0
/* JSON: see json.h. */
#include <stdio.h>

#include "../common/output.h"
#include "ctl.h"
#include "json.h"

#define FLAGS JSON_C_TO_STRING_NOSLASHESCAPE	/* paths stay legible */

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_counters(struct json_object *object, const struct guest_view *guest)
{
	json_add_number(object, "heartbeat", guest->heartbeat);
	json_add_number(object, "doorbells_sent", guest->doorbells_sent);
	json_add_number(object, "ipis_sent", guest->ipis_sent);
	json_add_number(object, "doorbells_received", guest->doorbells_received);
	json_add_number(object, "interrupts_received", guest->interrupts_received);
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | FLAGS));
	json_object_put(object);
}

void json_print_line(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | FLAGS));
	output_flush();
	json_object_put(object);
}
