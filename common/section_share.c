// SPDX-License-Identifier: GPL-2.0
/* [Share] of a guest file: a folder of the host that the guest mounts. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guestparser.h"
#include "profile.h"

static struct guest_share *this_share(struct parser *parser)
{
	return &parser->config->share[parser->slot];
}

static void set_path(struct parser *parser, const char *value)
{
	guestkeys_string(parser, &this_share(parser)->path, value);
}

/* A tag is one word, because people write it in mount(8) and fstab(5) */
static void set_tag(struct parser *parser, const char *value)
{
	bool valid = strlen(value) <= GUEST_TAG_MAX;

	for (const char *at = value; *at; at++)
		valid = valid && isgraph((unsigned char)*at);
	if (!valid) {
		wrong(parser, -EINVAL, "Tag=%s: a tag has at most %u characters and no blanks; change it",
		      value, GUEST_TAG_MAX);
		return;
	}
	strcpy(this_share(parser)->tag, value);
}

static void set_read_only(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "ReadOnly", &this_share(parser)->read_only, value);
}

static void set_xattr(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "Xattr", &this_share(parser)->xattr, value);
}

static void set_acl(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "ACL", &this_share(parser)->acl, value);
}

static void set_submounts(struct parser *parser, const char *value)
{
	guestkeys_bool(parser, "Submounts", &this_share(parser)->submounts, value);
}

static void set_cache(struct parser *parser, const char *value)
{
	int cache = profile_cache_from_name(value);

	if (cache < 0)
		wrong(parser, -EINVAL, "Cache=%s: none of auto, always and never; give one of them",
		      value);
	else
		this_share(parser)->cache = cache;
}

const struct guest_key guest_share_keys[SECTION_KEYS_MAX] = {
	{ "Path", set_path, KEY_ONCE },
	{ "Tag", set_tag, KEY_ONCE },
	{ "ReadOnly", set_read_only, KEY_ONCE },
	{ "Xattr", set_xattr, KEY_ONCE },
	{ "ACL", set_acl, KEY_ONCE },
	{ "Submounts", set_submounts, KEY_ONCE },
	{ "Cache", set_cache, KEY_ONCE },
};

void guest_share_reset(struct guest_share *share)
{
	free(share->path);
	*share = (struct guest_share) { .submounts = true };
}

/* The default tag of a share is the last part of its path, without trailing slashes */
static void default_tag(struct parser *parser, struct guest_share *share)
{
	size_t end = strlen(share->path), start, len;

	while (end && share->path[end - 1] == '/')
		end--;
	for (start = end; start && share->path[start - 1] != '/'; start--)
		;
	len = end - start;
	if (!len || len > GUEST_TAG_MAX || strcspn(share->path + start, " \t") < len)
		guestfile_mistake(parser, share->line, -EINVAL,
				  "Path=%s: its last part cannot be a tag; give Tag=", share->path);
	else
		memcpy(share->tag, share->path + start, len);
}

void guest_share_finish(struct parser *parser)
{
	struct guest_config *config = parser->config;

	for (unsigned int i = 0; i < config->nr_shares; i++) {
		struct guest_share *share = &config->share[i];

		if (!guestdevices_new(parser, i, share->keys))
			continue;
		if (!share->path) {
			guestfile_mistake(parser, share->line, -EINVAL,
					  "a [Share] without Path=; name the folder");
			continue;
		}
		/* Only existence: virtiofsd opens it with the rights of who starts the guest */
		guestkeys_usable(parser, share->line, "Path=", share->path, true, F_OK);
		if (strchr(share->path, ','))
			guestfile_mistake(parser, share->line, -EINVAL,
					  "Path=%s: virtiofsd does not accept a comma in a path; rename the folder, or give a link to it",
					  share->path);
		if (!share->cache)
			share->cache = config->profile.cache;
		if (!*share->tag)
			default_tag(parser, share);
		for (unsigned int j = 0; *share->tag && j < config->nr_shares; j++) {
			const struct guest_share *other = &config->share[j];

			if (guestdevices_rivals(parser, i, j, other->keys) &&
			    !strcmp(other->tag, share->tag))
				guestfile_mistake(parser, share->line, -EINVAL,
						  "the same tag, %s, as that of the [Share] %s; give another Tag=",
						  share->tag,
						  guestdevices_where(parser, other->line).text);
		}
	}
}
