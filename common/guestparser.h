/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the guest file's reader: guestfile.c knows lines and sections, guestkeys.c the
 * keys and their values, guestdevices.c the places of devices.
 */
#ifndef SIGMA_GUESTPARSER_H
#define SIGMA_GUESTPARSER_H

#include <stdbool.h>
#include <stdio.h>

#include "guestconfig.h"

enum section {
	SECTION_NONE,			/* none yet, or an unknown one */
	SECTION_GUEST,
	SECTION_DISK,
	SECTION_NETWORK,
	SECTION_SHARE,
	SECTION_CHANNEL,
};

extern const char *const guestfile_sections[SECTION_CHANNEL + 1];

/**
 * struct parser - where we are in the file
 * @section: the one that the line belongs to
 * @place: of its device in the configuration
 * @seen: bit n: key n of guestkeys.c was given in this section
 * @macs: bit n: the MAC address of NIC n was given
 * @guest_seen: there was a [Guest]
 * @indented: the line starts with a blank, by which inih goes on with the key before
 * @skip: the section cannot be used; its keys are not looked at
 * @single: one device is added to a configuration, and no file is read
 * @no_devices: their sections are passed over
 * @error: of the first mistake
 */
struct parser {
	struct guest_config *config;
	FILE *file;
	unsigned int line;
	enum section section;
	unsigned int place;
	unsigned int seen, macs;
	bool guest_seen, indented, skip, single, no_devices;
	int error;
};

/** guestfile_mistake - report what is wrong in a line (0: in the whole file) and remember it */
void guestfile_mistake(struct parser *parser, unsigned int line, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* the same for the line that is being read */
#define wrong(parser, error, ...) guestfile_mistake(parser, (parser)->line, error, __VA_ARGS__)

/** guestkeys_usable - check that a path can be used; @what for messages: "Kernel=". Reports. */
bool guestkeys_usable(struct parser *parser, unsigned int line, const char *what, const char *path,
		      bool folder, int mode);

/** guestdevices_kind - what a section stands for, or GUEST_NO_DEVICE */
enum guest_device guestdevices_kind(enum section section);

/** guestdevices_keys - where the keys of the device in this place are kept */
char **guestdevices_keys(struct guest_config *config, enum guest_device kind, unsigned int place);

/**
 * guestdevices_open - give one of this kind the first free place
 *
 * It is parser->place then, and its keys are not skipped.
 */
void guestdevices_open(struct parser *parser, enum guest_device kind);

/** guestfile_finish_devices - check each new device of this kind, and what it must not share */
void guestfile_finish_devices(struct parser *parser, enum guest_device kind);

/** guestdevices_drop - forget all of them */
void guestdevices_drop(struct guest_config *config);

/** guestkeys_set - take the value of a key of the section that is open */
void guestkeys_set(struct parser *parser, const char *name, const char *value);

#endif
