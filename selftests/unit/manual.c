// SPDX-License-Identifier: GPL-2.0
/* The pages name every verb of sigmactl, every key of a guest file, and every capability of sigmad. */
#include <stdlib.h>
#include <string.h>

#include "../../common/guestparser.h"
#include "../../ctl/ctl.h"
#include "tap.h"

#define VERB(name)		&verb_##name,
#define SECTION(name, member, ...)	{ SECTION_##name, guest_##member##_keys },

static const struct verb *const verbs[] = { VERBS(VERB_NO_TITLE, VERB) };

static const struct {
	enum section section;
	const struct guest_key *keys;
} sections[] = {
	{ SECTION_GUEST, guest_itself_keys },
	GUEST_DEVICES(SECTION)
	{ SECTION_CHANNEL, guest_channel_keys },
};

/* A page of the manual, to be freed; SOURCES is the folder of the project */
static char *page(const char *name)
{
	char path[4096], *text = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), SOURCES "/docs/%s", name);
	f = fopen(path, "re");
	if (!f || getdelim(&text, &size, '\0', f) < 0)
		printf("# %s: %m\n", path);
	if (f)
		fclose(f);
	return text;
}

TEST(each_verb_has_an_example)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		const char *examples = strstr(verbs[i]->help, "Examples:\n");
		char line[64];

		snprintf(line, sizeof(line), "sigmactl %s", verbs[i]->name);
		if (!examples || !strstr(examples, line))
			printf("# the help of %s\n", verbs[i]->name);
		EXPECT_TRUE(examples && strstr(examples, line));
	}
}

TEST(sigmactl_1_describes_each_verb)
{
	char *text = page("sigmactl.1");

	ASSERT_TRUE(text);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		char item[64];
		size_t len = snprintf(item, sizeof(item), "\n.It Cm %s", verbs[i]->name);
		const char *at = strstr(text, item);

		if (!at)
			printf("# %s\n", verbs[i]->name);
		EXPECT_TRUE(at && (at[len] == ' ' || at[len] == '\n'));
	}
	free(text);
}

TEST(sigma_guest_5_describes_each_key)
{
	char *text = page("sigma.guest.5");

	ASSERT_TRUE(text);
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		const char *name = guestfile_sections[sections[i].section];
		const struct guest_key *keys = sections[i].keys;
		char heading[64], *part, *end;

		snprintf(heading, sizeof(heading), "\n.Ss [%s]", name);
		part = strstr(text, heading);
		if (!part)
			printf("# %s\n", heading + 1);
		ASSERT_TRUE(part);
		end = strstr(part + 1, "\n.Ss ");
		part = strndup(part, end ? (size_t)(end - part) : strlen(part));
		ASSERT_TRUE(part);
		for (size_t k = 0; k < SECTION_KEYS_MAX && keys[k].name; k++) {
			char item[64];
			size_t len = snprintf(item, sizeof(item), "\n.It Cm %s", keys[k].name);
			const char *at = strstr(part, item);

			if (!at)
				printf("# [%s] %s=\n", name, keys[k].name);
			EXPECT_TRUE(at && (at[len] == ' ' || at[len] == '=' || at[len] == '\n'));
		}
		free(part);
	}
	free(text);
}

/* The paragraph of SECURITY.md about what a sigmad keeps, and the bounding set of its unit */
TEST(security_md_names_each_capability)
{
	static const char begin[] = "\nCapabilityBoundingSet=", heading[] = "`sigmad` keeps five capabilities";
	char *unit = page("../udev/sigma@.service.in"), *text = page("../SECURITY.md");
	char *set, *part, *end, *name;
	unsigned int nr = 0;

	ASSERT_TRUE(unit && text);
	set = strstr(unit, begin);
	part = strstr(text, heading);
	ASSERT_TRUE(set && part);
	end = strstr(part, "seccomp");
	ASSERT_TRUE(end);
	*end = '\0';
	set += strlen(begin);
	set[strcspn(set, "\n")] = '\0';
	for (name = strtok(set, " "); name; name = strtok(NULL, " "), nr++) {
		char quoted[64];

		snprintf(quoted, sizeof(quoted), "`%s`", name);
		if (!strstr(part, quoted))
			printf("# %s\n", quoted);
		EXPECT_TRUE(strstr(part, quoted));
	}
	EXPECT_EQ(5, nr);
	free(unit);
	free(text);
}

TEST_HARNESS_MAIN
