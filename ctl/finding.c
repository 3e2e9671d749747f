// SPDX-License-Identifier: GPL-2.0
/* The findings of 'sigmactl check': printed for people, or collected as JSON. */
#include <stdarg.h>

#include "ctl.h"
#include "finding.h"
#include "json.h"

static const char * const result_names[] = { "ok", "warn", "FAIL" };

static struct {
	struct json_object *json;	/* NULL: print for people */
	unsigned int count[RESULT_FAIL + 1];
} report;

void findings_begin(bool json)
{
	if (json)
		report.json = json_object_new_array();
}

void found(const char *check, enum result result, const char *remedy, const char *fmt, ...)
{
	static const enum colour colours[] = { COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED };
	struct json_object *object;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	report.count[result]++;
	if (!report.json) {
		printf("%s%-4s%s  %-10s %s\n", colour(colours[result]), result_names[result],
		       colour(COLOUR_NONE), check, text);
		if (remedy)
			printf("                 -> %s\n", remedy);
		return;
	}
	object = json_object_new_object();
	json_add_string(object, "check", check);
	json_add_string(object, "result", result_names[result]);
	json_add_string(object, "text", text);
	json_add_string(object, "remedy", remedy);
	json_object_array_add(report.json, object);
}

unsigned int findings_end(bool legend)
{
	if (report.json) {
		json_print(report.json);
	} else if (legend) {
		printf("\n%s: %u ok, %u warn, %u FAIL.\n",
		       report.count[RESULT_FAIL] ? "This machine cannot run guests as it is" :
						   "This machine can run guests",
		       report.count[RESULT_OK], report.count[RESULT_WARN],
		       report.count[RESULT_FAIL]);
	}
	return report.count[RESULT_FAIL];
}
