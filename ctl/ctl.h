/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigmactl: what its files share.
 *
 *	main.c		the table of verbs, options, help
 *	guests.c	guests as sigma.ko shows them in sysfs, whether or not a sigmad lives
 *	client.c	a guest's sigmad, over D-Bus
 *	text.c		messages, colours, sizes and times for people
 *	the others	one verb each, with its help
 */
#ifndef SIGMACTL_H
#define SIGMACTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "../daemon/rundir.h"
#include "../kmod/uapi/sigma.h"

enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
	EXIT_NO_GUEST	= 3,
	EXIT_TIMEOUT	= 4,
};

#define USEC_PER_SEC 1000000ULL

/* Options, as bits of struct verb.accepts */
enum {
	OPT_JSON	= 1 << 0,
	OPT_NO_LEGEND	= 1 << 1,
	OPT_TIMEOUT	= 1 << 2,
	OPT_STATE	= 1 << 3,
	OPT_FOLLOW	= 1 << 4,
	OPT_LINES	= 1 << 5,
	OPT_MEMORY	= 1 << 6,
};

/**
 * struct options - the command line
 * @timeout: microseconds; only when @given has OPT_TIMEOUT
 * @lines: last lines wanted; only when @given has OPT_LINES
 */
struct options {
	unsigned int given;
	uint64_t timeout;
	unsigned long lines;
	const char *state;
};

/**
 * struct verb - one command
 * @args: for the usage line, "NAME"
 * @summary: one line, for the list of verbs
 * @help: all else that 'sigmactl VERB --help' says
 * @accepts: OPT_*
 * @nr_args: exactly so many arguments
 * @run: returns the exit status
 */
struct verb {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	unsigned int accepts;
	int nr_args;
	int (*run)(const struct options *options, char **args);
};

extern const struct verb verb_check, verb_start, verb_stop, verb_kill, verb_list, verb_status,
			 verb_console, verb_log, verb_wait;

/* guests.c */

/**
 * struct guest_view - a guest in /sys/class/sigma
 * @cpus: "2,3"
 * @release: of its kernel, "" while its driver hasn't told
 */
struct guest_view {
	char name[SIGMA_NAME_MAX];
	char state[32];
	char cpus[512];
	char release[256];
	uint64_t memory;
	uint64_t heartbeat;
	uint64_t doorbells_sent;
	uint64_t ipis_sent;
	uint64_t doorbells_received;
	uint64_t interrupts_received;
};

/** guest_view - read one guest; 0 or -ENOENT, without a message */
int guest_view(struct guest_view *guest, const char *name);

/** guest_views - read all; how many, sorted by name, or -errno. Free *@guests. */
int guest_views(struct guest_view **guests);

/** guest_check - EXIT_OK when there is such a guest; else an exit status, with a message */
int guest_check(const char *name);

/** guest_name_valid - could it be one? Whatever isn't must not become part of a path */
bool guest_name_valid(const char *name);

/** guest_remove - stop and destroy a guest without its sigmad; 0 or a reported -errno */
int guest_remove(const char *name);

/* client.c */

/** client_open - connect to the guest's sigmad; 0, or -errno without a message when it is gone */
int client_open(sd_bus **bus, const char *name);

/** client_pid - of the process that listens; 0 when unknown */
pid_t client_pid(sd_bus *bus);

/** client_string - a string property, to be freed; NULL when it can't be had */
char *client_string(sd_bus *bus, const char *property);

/** client_number - a property of type 't' or 'u'; 0 when it can't be had */
uint64_t client_number(sd_bus *bus, char type, const char *property);

/**
 * client_wait_end - wait until sigmad has given everything back and is gone
 *
 * Return: 0 or -ETIMEDOUT.
 */
int client_wait_end(sd_bus *bus, uint64_t timeout_usec);

/* text.c */
enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_BOLD };

/** complain - "sigmactl: text" on stderr; returns @status, so that it can be returned */
int complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** colour - the sequence that begins @colour on stdout, "" where that is no terminal */
const char *colour(enum colour colour);
enum colour state_colour(const char *state);

uint64_t now_usec(clockid_t clock);

/** format_size - "512M", "1.5G" */
const char *format_size(char text[32], uint64_t bytes);

/** format_span - "3min 5s", from microseconds */
const char *format_span(char text[32], uint64_t usec);

/** print_safe - to stdout, newlines and tabs as they are, other control characters as '?' */
void print_safe(const char *text, size_t len);

/* log.c */

/** log_print_tail - print the last @lines lines of the guest's log with @indent before each */
void log_print_tail(const char *name, unsigned long lines, const char *indent);

#endif
