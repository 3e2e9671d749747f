// SPDX-License-Identifier: GPL-2.0
/* The user that a guest belongs to: see owner.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner.h"

void owner_format(const struct owner *owner, char text[OWNER_TEXT_MAX])
{
	int len = snprintf(text, OWNER_TEXT_MAX, "%u:%u:", owner->uid, owner->gid);

	for (unsigned int i = 0; i < owner->nr_groups; i++)
		len += snprintf(text + len, OWNER_TEXT_MAX - len, "%s%u", i ? "," : "",
				owner->groups[i]);
}

/* A decimal ID with @behind it; the text after that, or NULL. (uid_t)-1 is no ID */
static const char *parse_id(const char *text, char behind, uint32_t *id)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	number = strtoull(text, &end, 10);
	if (number >= UINT32_MAX || *end != behind)
		return NULL;
	*id = number;
	return *end ? end + 1 : end;
}

int owner_parse(const char *text, struct owner *owner)
{
	char behind = ',';

	*owner = (struct owner){};
	text = parse_id(text, ':', &owner->uid);
	text = text ? parse_id(text, ':', &owner->gid) : NULL;
	if (text && !*text)
		behind = '\0';
	while (text && behind) {
		if (owner->nr_groups == OWNER_GROUPS_MAX)
			return -EINVAL;
		behind = strchr(text, ',') ? ',' : '\0';
		text = parse_id(text, behind, &owner->groups[owner->nr_groups++]);
	}
	return text && owner->uid ? 0 : -EINVAL;
}
