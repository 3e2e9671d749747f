/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of the guest file's reader: guestfile.c knows lines and sections, guestkeys.c the
 * keys and their values, guestdevices.c the places of devices.
 */
#ifndef SIGMA_GUESTPARSER_H
#define SIGMA_GUESTPARSER_H

#include <stdbool.h>
#include <stdio.h>

#include "guestfile.h"

enum section {
	SECTION_NONE,			/* none yet, or an unknown one */
	SECTION_GUEST,
	SECTION_DISK,
	SECTION_NETWORK,
	SECTION_SHARE,
	SECTION_CHANNEL,
};

extern const char *const section_names[SECTION_CHANNEL + 1];

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

/** mistake - report what is wrong in a line (0: in the whole file) and remember it */
void mistake(struct parser *parser, unsigned int line, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* the same for the line that is being read */
#define wrong(parser, error, ...) mistake(parser, (parser)->line, error, __VA_ARGS__)

/** usable - check that a path can be used; @what for messages: "Kernel=". Reports. */
bool usable(struct parser *parser, unsigned int line, const char *what, const char *path,
	    bool folder, int mode);

/** device_kind - what a section stands for, or GUEST_NO_DEVICE */
enum guest_device device_kind(enum section section);

/** keys_of - where the keys of the device in this place are kept */
char **keys_of(struct guest_config *config, enum guest_device kind, unsigned int place);

/** open_device - give one of this kind the first free place: parser->place, and don't skip its keys */
void open_device(struct parser *parser, enum guest_device kind);

/** finish_devices - look at all of each new device of this kind, and at what it must not share */
void finish_devices(struct parser *parser, enum guest_device kind);

/** drop_devices - forget all of them */
void drop_devices(struct guest_config *config);

/** set_key - take the value of a key of the section that is open */
void set_key(struct parser *parser, const char *name, const char *value);

#endif
