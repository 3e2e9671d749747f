/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's first program. It lives in the initrd that sigmad builds, static and alone.
 *
 *	init.c		mounts, modules, the switch to the root file system
 *	root.c		which device the root file system is on, and waiting for it
 *	cmdline.c	the kernel's command line
 */
#ifndef SIGMA_INIT_H
#define SIGMA_INIT_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* printk levels */
#define LEVEL_ERROR	3
#define LEVEL_WARNING	4
#define LEVEL_INFO	6

/** say - one line into the kernel log */
void say(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* cmdline.c */

#define CMDLINE_MAX 4096

/**
 * struct cmdline - what the command line says that concerns init
 * @root: value of root=, NULL when there is none; the strings live in @text
 * @fstype: value of rootfstype=, a comma list, or NULL
 * @flags: value of rootflags=, or NULL
 * @init: value of init=, or NULL
 * @read_only: "ro", the default, or "rw", whichever came last
 * @root_timeout: seconds to wait for @root
 */
struct cmdline {
	const char *root, *fstype, *flags, *init;
	bool read_only;
	unsigned int root_timeout;
	char text[CMDLINE_MAX];
};

/** cmdline_parse - take @cmdline->text apart; of an option given twice the last one counts */
void cmdline_parse(struct cmdline *cmdline);

/* root.c */

/**
 * uevents_open - listen for devices
 *
 * Before the first module is loaded, so that none is missed. Return: 0 or -errno.
 */
int uevents_open(void);

/**
 * wait_until - wait for something that comes with a device
 * @done: looked at now and after each uevent
 *
 * Return: whether it came within @seconds.
 */
bool wait_until(bool (*done)(void *data), void *data, unsigned int seconds);

/**
 * struct root_device - the device that root= means
 * @spec: "/dev/NAME", "UUID=..." or "LABEL=..."
 * @path: its node, once found
 */
struct root_device {
	const char *spec;
	char path[64];
};

/** root_spec_valid - whether @spec is one that root_find() understands */
bool root_spec_valid(const char *spec);

/** root_find - for wait_until(): look for the device of a struct root_device */
bool root_find(void *root);

#endif
