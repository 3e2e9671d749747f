/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigmactl: what its files share.
 *
 *	main.c		the table of verbs, options, help
 *	guests.c	guests as sigma.ko shows them in sysfs, whether or not a sigmad lives
 *	uevents.c	what happens to them
 *	client.c	a guest's sigmad, over D-Bus
 *	served.c	what is asked of it
 *	complain.c colour.c clock.c text.c	messages, colours, times and sizes for people
 *	json.c		the same for programs
 *	sigmad.c	a sigmad that is begun here
 *	systemctl.c	the guest's unit
 *	terminal.c	a person's terminal tied to a guest's console
 *	violation.c	why its guard stopped a guest
 *	vmcore.c	a guest's memory as a dump
 *	report.c	what 'sigmactl check --report' adds
 *	prometheus.c	what 'sigmactl stats --prometheus' prints
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

#include "../common/guestfile.h"
#include "../common/rundir.h"
#include "../common/text.h"
#include "../kmod/uapi/iosc.h"
#include "../kmod/uapi/sigma.h"

enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
	EXIT_NO_GUEST	= 3,
	EXIT_TIMEOUT	= 4,
	/* how the guest of "run" ended, unless it switched itself off */
	EXIT_PANICKED	= 10,
	EXIT_CONTAINED	= 11,
	EXIT_STOPPED	= 12,
	EXIT_LOST	= 13,
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
	OPT_READ_ONLY	= 1 << 7,
	OPT_FORCE	= 1 << 8,
	OPT_ALL		= 1 << 9,
	OPT_PROPERTY	= 1 << 10,
	OPT_VALUE	= 1 << 11,
	OPT_WATCH	= 1 << 12,
	OPT_PROMETHEUS	= 1 << 13,
	OPT_REPORT	= 1 << 14,
};

#define PROPERTIES_MAX 32

/**
 * struct options - the command line
 * @timeout: microseconds; only when @given has OPT_TIMEOUT
 * @lines: last lines wanted; only when @given has OPT_LINES
 * @properties: as they were given, each perhaps several with commas between
 */
struct options {
	unsigned int given;
	uint64_t timeout;
	unsigned long lines;
	const char *state;
	const char *properties[PROPERTIES_MAX];
	unsigned int nr_properties;
};

/**
 * struct verb - one command
 * @args: for the usage line, "NAME"
 * @summary: one line, for the list of verbs
 * @help: all else that 'sigmactl VERB --help' says
 * @accepts: OPT_*
 * @nr_args: exactly so many arguments, or at least, with @more_args
 * @run: returns the exit status; the arguments end with NULL
 */
struct verb {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	unsigned int accepts;
	int nr_args;
	bool more_args;
	int (*run)(const struct options *options, char **args);
};

extern const struct verb verb_check, verb_pool, verb_edit, verb_enable, verb_disable, verb_run,
			 verb_start, verb_stop, verb_kill, verb_reboot, verb_wait, verb_list,
			 verb_status, verb_show, verb_stats, verb_events, verb_console, verb_log,
			 verb_nmi, verb_dump, verb_disk, verb_net, verb_share;

/* guests.c */

/**
 * struct guest_view - a guest in /sys/class/sigma
 * @cpus: "2,3"
 * @release: of its kernel, "" while its driver hasn't told
 * @guard: what confines it
 * @panic: what it said of its panic, if it panicked
 * @violation: why its guard stopped it, if it did and we may know
 */
struct guest_view {
	char name[SIGMA_NAME_MAX];
	char state[32];
	char cpus[512];
	char release[256];
	char guard[32];
	char panic[1024];
	char violation[256];
	uint64_t memory;
	uint64_t heartbeat;
	uint64_t doorbells_sent;
	uint64_t ipis_sent;
	uint64_t doorbells_received;
	uint64_t interrupts_received;
};

/** guest_view - read one guest; 0 or -ENOENT, without a message */
int guest_view(struct guest_view *guest, const char *name);

/** guest_gathered - bytes of memory taken so far for a guest that is being made; else 0 */
uint64_t guest_gathered(const char *name);

/** guest_views - read all; how many, sorted by name, or -errno. Free *@guests. */
int guest_views(struct guest_view **guests);

#define GUEST_OFF "off"		/* the state of a guest that there is only a file of */

/** guest_views_all - the same, and those that there are only files of in GUEST_FILES */
int guest_views_all(struct guest_view **guests);

/** guest_has_file - is there a file in GUEST_FILES of a guest with this name? */
bool guest_has_file(const char *name);

/** guest_check - EXIT_OK when there is such a guest; else an exit status, with a message */
int guest_check(const char *name);

/** guest_device - open /dev/sigma/NAME; a reported -errno, or -ESRCH, unreported: it has gone */
int guest_device(const char *name);

/**
 * guest_remove - stop and destroy a guest without its sigmad
 *
 * Return: 0, 1 when there was none any more, or a reported -errno.
 */
int guest_remove(const char *name);

/** guests_control_number - a file in /sys/class/sigma/control; 0 when it can't be read */
uint64_t guests_control_number(const char *attr);

/* uevents.c */

#define UEVENT_MAX	4096	/* bytes: UEVENT_BUFFER_SIZE of the kernel, and the head */

/**
 * struct uevent - what happened to a guest
 * @action: "add", "change", "remove", ...
 * @text: what the others point into
 */
struct uevent {
	const char *action, *name, *state;
	char text[UEVENT_MAX + 1];
};

/** uevents_open - a socket that hears what happens from now on; or -errno */
int uevents_open(void);

/** uevent_read - take the next one: 1; 0: none has come; -ENOBUFS: some were lost; or -errno */
int uevent_read(int fd, struct uevent *uevent);

/* systemctl.c */

/**
 * systemctl - have a guest's unit, sigma@NAME.service, started, stopped and the like
 * @option: one for @verb, or "--"
 * @remedy: where there is no systemctl
 *
 * Return: EXIT_OK, or EXIT_FAILED, reported.
 */
int systemctl(const char *verb, const char *option, const char *name, const char *remedy);

/* client.c */

/** enum sigmad - what is seen of a guest's sigmad */
enum sigmad {
	SIGMAD_SERVES,
	SIGMAD_GONE,		/* it ended or died; the guest has no devices any more */
	SIGMAD_DENIED,		/* we may not speak to it */
	SIGMAD_SILENT,		/* it does not answer */
};

/** client_seen - in an error of client_open() or of a call */
enum sigmad client_seen(int error);

/** client_seen_word - for people and JSON */
const char *client_seen_word(enum sigmad sigmad);

/** client_complain - what an error means and its remedy; returns @status */
int client_complain(int status, const char *name, int error);

/**
 * client_open - connect to the guest's sigmad
 * @deadline: of this and of the call that follows
 *
 * Return: 0 or -errno, without a message; see client_seen().
 */
int client_open(sd_bus **bus, const char *name, uint64_t deadline);

/**
 * client_pidfd - a pidfd of the guest's sigmad, whether or not it answers
 *
 * Return: -errno without a message; see client_seen().
 */
int client_pidfd(const char *name, pid_t *pid);

/**
 * client_watch - connect as client_open() does, and have @on_state handle each change of state
 * @state: out: the present one, to be freed; or NULL
 */
int client_watch(sd_bus **bus, const char *name, uint64_t deadline,
		 sd_bus_message_handler_t on_state, void *data, char **state);

/** client_step - handle what came, or wait for it: 1; 0 when @deadline has come; or -errno */
int client_step(sd_bus *bus, uint64_t deadline);

/**
 * client_wait_end - wait until sigmad has given everything back and is gone
 *
 * Return: 0 or -ETIMEDOUT.
 */
int client_wait_end(sd_bus *bus, uint64_t deadline);

/* served.c */

/**
 * struct served_device - a device of the guest that can be removed
 * @keys: "Key=value", ends with NULL
 * @leaving: it was removed, but the guest has not let go of it yet
 */
struct served_device {
	uint32_t id;
	const char *kind, *name;
	char **keys;
	int leaving;
};

/**
 * struct served_counters - what went through the queues of a device that sigmad serves itself
 * @type: "blk", "net", "console", ...
 * @requests: and @from, @to: bytes from the guest and to it, with the headers of requests
 */
struct served_counters {
	uint32_t id;
	const char *type;
	uint64_t requests, from, to;
};

/**
 * struct served - what only the guest's sigmad knows
 * @sigmad: all else is 0 and NULL unless it is SIGMAD_SERVES
 * @vsock_cid: 0: it has no AF_VSOCK
 * @reply: holds the strings
 */
struct served {
	enum sigmad sigmad;
	uint32_t pid;
	uint64_t started_usec;
	const char *state;
	const char *image;
	const char *file;
	const char *console;
	uint32_t vsock_cid;
	struct served_device device[SIGMA_DEVICES];
	unsigned int nr_devices;
	struct served_counters counters[SIGMA_DEVICES];
	unsigned int nr_counters;
	sd_bus_message *reply;
};

/** served_read - ask it, for two seconds at most; served_free() afterwards */
void served_read(struct served *served, const char *name);
void served_free(struct served *served);

/** served_read_devices - the property Devices, whose variant is next in @reply; or -errno */
int served_read_devices(sd_bus_message *reply, struct served *served);

/** served_uptime - microseconds since the guest's last start, 0: not known */
uint64_t served_uptime(const struct served *served);

/* sigmad.c */

/**
 * sigmad_begin - start a guest, with a sigmad that is a child of this process
 * @guest: NAME or FILE
 * @notify: out, where not NULL: its notify socket, to be closed soon, since sigmad waits when nobody
 *	    reads it
 *
 * SIGINT and its like are blocked from here on. Return: EXIT_OK when the guest's CPU has begun; or
 * an exit status, with a message.
 */
int sigmad_begin(const char *guest, char name[SIGMA_NAME_MAX], pid_t *pid, int *notify);

/** sigmad_last_state - the guest's last state that waits at the socket; -ENOMSG: none */
int sigmad_last_state(int notify, pid_t pid);

/* terminal.c */

enum terminal_end {
	TERMINAL_LEFT,		/* by Ctrl-], or the end of the input */
	TERMINAL_GUEST_ENDED,
	TERMINAL_OUTPUT_ENDED,	/* nobody reads it any more */
	TERMINAL_SIGNAL,
	TERMINAL_DONE,		/* of struct terminal_watch */
};

/**
 * struct terminal_watch - for who wants to know more than the console tells
 * @bus: connection to the guest's sigmad, whose signals are handled meanwhile
 * @done: such a handler has seen enough
 */
struct terminal_watch {
	sd_bus *bus;
	const bool *done;
};

/** terminal_open - open the guest's console for us alone: a descriptor, or a reported -errno */
int terminal_open(const char *name);

/**
 * terminal_talk - tie stdin and stdout to the guest's console
 * @watch: or NULL; with it the end of the input is not the end
 */
enum terminal_end terminal_talk(const char *name, int console, const struct terminal_watch *watch);

/* complain.c */

/** complain - "sigmactl: text" on stderr; returns @status, so that it can be returned */
int complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* colour.c */

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_BOLD };

/** colour - the sequence that begins @colour on stdout, "" where that is no terminal, or $NO_COLOR */
const char *colour(enum colour colour);
enum colour colour_of_state(const char *state);

/* clock.c */

/** clock_now - microseconds on @clock */
uint64_t clock_now(clockid_t clock);

/** clock_deadline - @usec from now, on CLOCK_MONOTONIC */
uint64_t clock_deadline(uint64_t usec);

/* text.c */

/** text_size - "512M", "1.5G" */
const char *text_size(char text[32], uint64_t bytes);

/** text_span - "3min 5s", from microseconds */
const char *text_span(char text[32], uint64_t usec);

/** text_wider - of a column: @width, or what @text takes */
int text_wider(int width, const char *text);

/** text_distance - how many letters must be added, left out or changed to make @b of @a */
unsigned int text_distance(const char *a, const char *b);

/** text_print - a text of a guest to stdout, without what could control the terminal */
void text_print(const char *text, size_t len);

/** text_print_stream - the same for the next piece of a stream */
void text_print_stream(struct text_filter *filter, const char *text, size_t len);

/* report.c */

/** report_print - what 'sigmactl check --report' adds to the checks */
void report_print(void);

/* log.c */

/** log_print_tail - print the last @lines lines of the guest's log with @indent before each */
void log_print_tail(const char *name, unsigned long lines, const char *indent);

#endif
