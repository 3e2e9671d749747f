// SPDX-License-Identifier: GPL-2.0
/* sigmactl profiles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/profile.h"
#include "ctl.h"
#include "json.h"

/** struct row - a profile; @profile: all is 0 if it has mistakes, which were reported */
struct row {
	const char *name;
	char path[PATH_MAX];
	struct guest_profile profile;
	bool broken;
};

static void read_row(struct row *row, const char *name)
{
	char why[512];

	row->name = name;
	profile_path(name, row->path);
	row->broken = profile_load(&row->profile, name, why, sizeof(why));
}

static void print_json(const struct row *rows, unsigned int nr)
{
	struct json_object *list = json_object_new_array();

	for (const struct row *row = rows; row < rows + nr; row++) {
		struct json_object *profile = json_object_new_object();

		json_add_string(profile, "name", row->name);
		json_add_string(profile, "file", row->path);
		json_add_string(profile, "summary", row->profile.summary);
		json_object_array_add(list, profile);
	}
	json_print(list);
}

static void print_table(const struct row *rows, unsigned int nr, bool legend)
{
	int wide_name = strlen("NAME"), wide_path = strlen("FILE");

	for (unsigned int i = 0; i < nr; i++) {
		wide_name = text_wider(wide_name, rows[i].name);
		wide_path = text_wider(wide_path, rows[i].path);
	}
	if (legend)
		printf("%s%-*s %-*s %s%s\n", colour(COLOUR_BOLD), wide_name, "NAME", wide_path,
		       "FILE", "SUMMARY", colour(COLOUR_NONE));
	for (unsigned int i = 0; i < nr; i++)
		printf("%-*s %-*s %s\n", wide_name, rows[i].name, wide_path, rows[i].path,
		       rows[i].broken ? "has mistakes" : rows[i].profile.summary ?: "-");
}

static int run(const struct options *options, char **args)
{
	int status = EXIT_OK;
	struct row *rows;
	unsigned int nr;
	char **names;

	names = profile_names(&nr);
	rows = calloc(nr + 1, sizeof(*rows));
	if (!rows) {
		profile_names_free(names, nr);
		return complain(EXIT_FAILED, "no memory for the list of profiles");
	}
	for (unsigned int i = 0; i < nr; i++) {
		read_row(&rows[i], names[i]);
		if (rows[i].broken)
			status = EXIT_FAILED;
	}
	if (options->given & OPT_JSON)
		print_json(rows, nr);
	else
		print_table(rows, nr, !(options->given & OPT_NO_LEGEND));
	for (unsigned int i = 0; i < nr; i++)
		profile_free(&rows[i].profile);
	free(rows);
	profile_names_free(names, nr);
	return status;
}

DEFINE_VERB(profiles) = {
	.name = "profiles",
	.args = "",
	.summary = "Show the profiles that fit guests to kinds of work",
	.help =
"A profile is a file of settings for a guest's kernel, memory and shares, each with its reason, for\n"
"'sigmactl run --profile=NAME' and for Profile= in a guest file. Those of SIGMA are in\n"
PROFILES_SHIPPED "; a file of the same name in " PROFILES_OWN " takes the place of\n"
"one. sigma.guest(5) describes the settings. The exit status is 1 when a profile has mistakes.\n"
"\n"
"Examples:\n"
"  sigmactl profiles\n"
"  sigmactl profiles --json | jq -r '.[].file' | xargs less\n",
	.accepts = OPT_JSON | OPT_NO_LEGEND,
	.run = run,
};
