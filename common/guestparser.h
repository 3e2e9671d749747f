/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Internals of the guest file's parser:
 *
 *	guestfile.c	files, lines and sections
 *	guestkeys.c	the keys of a section
 *	guestdevices.c	the slots of devices
 *	section_guest.c section_channel.c	the sections [Guest] and [Channel]
 *	section_disk.c section_net.c section_share.c	a section for each kind of device
 */
#ifndef SIGMA_GUESTPARSER_H
#define SIGMA_GUESTPARSER_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "guestconfig.h"

#define SECTION_NUMBER(name, ...)	SECTION_##name,
enum section {
	SECTION_NONE,			/* none yet, or an unknown one */
	SECTION_GUEST,
	GUEST_DEVICES(SECTION_NUMBER)
	SECTION_CHANNEL,
	SECTIONS
};

extern const char *const guestfile_sections[SECTIONS];

/**
 * struct parser - state of the parser
 * @line: number of the present line
 * @section: the section of the present line
 * @slot: slot of the section's device in the configuration
 * @seen: bit n: key n of the section was given
 * @macs: bit n: the MAC address of NIC n was given
 * @guest_seen: there was a [Guest]
 * @indented: the line starts with a blank, so inih takes it for a further value of the last key
 * @skip: the section cannot be used; its keys are ignored
 * @single: one device is added to a configuration, and no file is read
 * @no_devices: sections of devices are ignored
 * @running: the guest runs already: files that it was made from may be gone
 * @absent: NULL, or where the first thing goes that is not there: it may come, and is no mistake
 * @error: negative errno of the first mistake
 */
struct parser {
	struct guest_config *config;
	FILE *file;
	unsigned int line;
	enum section section;
	unsigned int slot;
	unsigned int seen, macs;
	bool guest_seen, indented, skip, single, no_devices, running;
	char *absent;
	int error;
};

/** guestfile_mistake - report what is wrong in a line (0: in the whole file) and remember it */
void guestfile_mistake(struct parser *parser, unsigned int line, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * guestfile_absent - what a key names is not there: a mistake, unless it may come later
 * @line: of the key, or of its section
 * @key: with its '='
 */
void guestfile_absent(struct parser *parser, unsigned int line, int error, const char *key,
		      const char *value, const char *remedy);

/* Report a mistake in the present line */
#define wrong(parser, error, ...) guestfile_mistake(parser, (parser)->line, error, __VA_ARGS__)

#define SECTION_KEYS_MAX 24

/**
 * struct guest_key - a key of a section
 * @name: NULL: behind the last key
 * @set: check the value and put it into @parser->config, or report what is wrong with it
 * @often: whether the key may be there more than once; CONTINUES: indented lines may follow it
 */
struct guest_key {
	const char *name;
	void (*set)(struct parser *parser, const char *value);
	enum { KEY_ONCE, KEY_CONTINUES, KEY_REPEATS } often;
};

/** guestkeys_set - check a key of the present section, and set its value */
void guestkeys_set(struct parser *parser, const char *name, const char *value);

/* For struct guest_key.set: copy a string; set @to to what yes and no mean */
void guestkeys_string(struct parser *parser, char **to, const char *value);
void guestkeys_bool(struct parser *parser, const char *key, bool *to, const char *value);

/**
 * guestkeys_usable - can this path be used? Reports why not, after @what ("Kernel=")
 *
 * For a guest that runs already, any absolute path can be used.
 */
bool guestkeys_usable(struct parser *parser, unsigned int line, const char *what, const char *path,
		      bool folder, int mode);

/** guestdevices_kind - the kind of device that a section describes, or GUEST_NO_DEVICE */
enum guest_device guestdevices_kind(enum section section);

/** guestdevices_keys - the member that holds the keys of the device in this slot */
char **guestdevices_keys(struct guest_config *config, enum guest_device kind, unsigned int slot);

/**
 * guestdevices_open - begin a device of this kind in the first free slot
 *
 * Sets parser->slot to the slot and clears parser->skip, or reports why there is no device.
 */
void guestdevices_open(struct parser *parser, enum guest_device kind);

/** guestdevices_finish - check the new devices of this kind, also against the others */
void guestdevices_finish(struct parser *parser, enum guest_device kind);

/** guestdevices_new - is the device in @slot, which has these @keys, one of those being added? */
bool guestdevices_new(const struct parser *parser, unsigned int slot, const char *keys);

/**
 * guestdevices_rivals - must the new device in @slot differ from the one in slot @other?
 * @keys: of the latter
 *
 * If two new devices are too similar, the message is about the later one.
 */
bool guestdevices_rivals(const struct parser *parser, unsigned int slot, unsigned int other,
			 const char *keys);

/** struct guest_where - where the device is that a new one is too similar to: "in line 3" */
struct guest_where {
	char text[PATH_MAX + 32];
};

/** guestdevices_where - @line: of the device's section; 0: it was hotplugged */
struct guest_where guestdevices_where(const struct parser *parser, unsigned int line);

/*
 * For each kind of device, in its section_*.c: guest_MEMBER_keys[] has the keys of its section,
 * guestdevices_finish() calls guest_MEMBER_finish(), and guest_MEMBER_reset() frees what a device
 * has beside its keys and sets the defaults of its keys.
 */
#define DEVICE_PARTS(name, member, ...)						\
	extern const struct guest_key guest_##member##_keys[SECTION_KEYS_MAX];	\
	void guest_##member##_finish(struct parser *parser);			\
	void guest_##member##_reset(struct guest_##member *member);
GUEST_DEVICES(DEVICE_PARTS)

/* The same for [Guest], the guest itself, and [Channel] */
extern const struct guest_key guest_itself_keys[SECTION_KEYS_MAX];
extern const struct guest_key guest_channel_keys[SECTION_KEYS_MAX];
void guest_itself_finish(struct parser *parser);
void guest_channels_finish(struct parser *parser);

/** guestdevices_drop - remove all devices from the configuration */
void guestdevices_drop(struct guest_config *config);

#endif
