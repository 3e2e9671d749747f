// SPDX-License-Identifier: GPL-2.0
/* sigmactl status --shared: who holds what of a guest's memory objects, from the file "shared" in sysfs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"

struct lent {
	char side[8];
	unsigned int channel, grants;
	uint64_t bytes, held;
};

static bool parse(struct lent *lent, const char *line)
{
	return sscanf(line, "%7s %u %u %" SCNu64 " %" SCNu64, lent->side, &lent->channel, &lent->grants,
		      &lent->bytes, &lent->held) == 5;
}

static void add_json(struct json_object *list, const struct lent *lent)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "lender", lent->side);
	json_add_number(object, "channel", lent->channel);
	json_add_number(object, "grants", lent->grants);
	json_add_number(object, "bytes", lent->bytes);
	json_add_number(object, "held", lent->held);
	json_object_array_add(list, object);
}

static void print_line(const struct lent *lent)
{
	char bytes[32], held[32];

	printf("%-7s %7u %7u %10s %10s\n", lent->side, lent->channel, lent->grants,
	       text_size(bytes, lent->bytes), text_size(held, lent->held));
}

int shared_print(FILE *file, bool json, bool legend)
{
	struct json_object *object = json ? json_object_new_object() : NULL;
	struct json_object *list = json ? json_object_new_array() : NULL;
	uint64_t half = 0, objects = 0;
	char line[128], text[2][32];
	struct lent lent;

	if (fgets(line, sizeof(line), file))
		sscanf(line, "half %" SCNu64 " %" SCNu64, &half, &objects);
	if (json) {
		json_add_number(object, "half", half);
		json_add_number(object, "objects", objects);
	} else if (half && legend) {
		printf("Each side has %s; the host's programs have objects of %s.\n",
		       text_size(text[0], half), text_size(text[1], objects));
		printf("%-7s %7s %7s %10s %10s\n", "LENDER", "CHANNEL", "GRANTS", "LENT", "HELD");
	}
	while (fgets(line, sizeof(line), file)) {
		if (!parse(&lent, line))
			continue;
		if (json)
			add_json(list, &lent);
		else
			print_line(&lent);
	}
	if (json) {
		json_object_object_add(object, "lent", list);
		json_print(object);
	} else if (!half && legend) {
		puts("No memory objects: SharedMemory= of its file sets memory aside for them.");
	}
	return EXIT_OK;
}

int shared_show(const char *name, const struct options *options)
{
	FILE *file = guests_open_attr(name, "shared");
	int status;

	if (!file && errno == ENOENT)
		return complain(EXIT_FAILED, "%s: the loaded sigma.ko has no memory objects: it is older than this sigmactl",
				name);
	if (!file)
		return complain(EXIT_FAILED, "%s: who holds its memory objects cannot be read: %s", name,
				strerror(errno));
	status = shared_print(file, options->given & OPT_JSON, !(options->given & OPT_NO_LEGEND));
	fclose(file);
	return status;
}
