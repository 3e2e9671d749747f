/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sigmactl: declarations that its files share.
 *
 *	main.c		the command line: options, help, which verb to run
 *	guests.c	guests in the sysfs of sigma.ko, with or without a sigmad
 *	uevents.c	uevents of sigma.ko about guests
 *	client.c	the D-Bus connection to a guest's sigmad
 *	served.c	properties that sigmad has of its guest
 *	complain.c colour.c clock.c text.c	messages, colours, times and sizes for people
 *	json.c		output for programs
 *	sigmad.c	starting a sigmad
 *	systemctl.c	the guest's systemd unit
 *	agent*.c	programs that the guest's agent runs: see agent.h
 *	run_command.c run_options.c run_guest.c		'sigmactl run -- CMD': see run_command.h
 *	terminal.c	a person's terminal, connected to a guest's console
 *	vmcore.c	a guest's memory as an ELF core
 *	finding.c installed.c	the findings of 'sigmactl check', and those about what is installed
 *	microcode.c	its finding about microcode
 *	report.c	output of 'sigmactl check --report'
 *	shared.c	output of 'sigmactl status --shared'
 *	prometheus.c	output of 'sigmactl stats --prometheus'
 *	library.c	loads libraries that few verbs need
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
#include "../common/reason.h"
#include "../common/rundir.h"
#include "../common/text.h"
#include "../common/violation.h"
#include "../kmod/uapi/iosc.h"
#include "../kmod/uapi/sigma.h"

enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,
	EXIT_NO_GUEST	= 3,
	EXIT_TIMEOUT	= 4,
	/* of "run": how the guest ended, unless it switched itself off */
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
	OPT_ESCAPE	= 1 << 15,
	OPT_TTY		= 1 << 16,	/* and NAME is the last option's end: see main.c */
	OPT_NO_TTY	= 1 << 17,
	OPT_USER	= 1 << 18,
	OPT_WORKDIR	= 1 << 19,
	OPT_ENV		= 1 << 20,
	OPT_KEEP_CORES	= 1 << 21,
	OPT_KEEP	= 1 << 22,
	OPT_FOR		= 1 << 23,
	OPT_UNTIL	= 1 << 24,
	OPT_COPY	= 1 << 25,
	OPT_SHARED	= 1 << 26,
};

#define PROPERTIES_MAX 32
#define VARIABLES_MAX 256

#define ESCAPE_DEFAULT	('\x1d')	/* Ctrl-] */
#define ESCAPE_NONE	(-1)

/**
 * struct options - the command line
 * @timeout: microseconds; only when @given has OPT_TIMEOUT
 * @lines: last lines wanted; only when @given has OPT_LINES
 * @span: of --for=, in microseconds
 * @until: of --until=, in microseconds since 1970
 * @copy: of --copy=: the name of the copy
 * @escape: the key that leaves a console, a control character; or ESCAPE_NONE
 * @properties: the arguments of --property; each names one key, or several separated by commas
 * @user: USER or USER:GROUP of the guest; NULL: not given
 * @workdir: folder of the guest; NULL: not given
 * @env: the arguments of --env, NAME=VALUE or NAME
 */
struct options {
	unsigned int given;
	uint64_t timeout;
	uint64_t span, until;
	const char *copy;
	unsigned long lines;
	const char *state;
	int escape;
	const char *properties[PROPERTIES_MAX];
	unsigned int nr_properties;
	const char *user, *workdir;
	const char *env[VARIABLES_MAX];
	unsigned int nr_env;
};

/**
 * struct verb - one command
 * @args: its arguments in the usage line: "NAME"
 * @summary: one line, for the list of verbs
 * @help: the rest of what 'sigmactl VERB --help' prints
 * @accepts: OPT_* that it has
 * @nr_args: number of arguments
 * @more_args: @nr_args is the least number; there may be more
 * @run: returns the exit status; the arguments end with NULL
 * @run_command: NULL, or called instead if "--" is among the arguments, with all from the verb on
 * @command_options: the help of its options
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
	int (*run_command)(int argc, char **argv);
	const char *command_options;
};

/*
 * All verbs, in the order of the help, and the titles of their groups. The file of a verb that is not
 * here does not compile; a verb without a file does not link.
 */
#define VERBS(title, verb)						\
	title("This machine")						\
	verb(check) verb(pool)						\
	title("Guest files")						\
	verb(edit) verb(enable) verb(disable) verb(profiles)		\
	title("Life of a guest")					\
	verb(run) verb(start) verb(stop) verb(kill) verb(reboot)	\
	verb(reload) verb(sleep) verb(wake) verb(save)			\
	verb(restore) verb(wait)					\
	title("What guests do")						\
	verb(list) verb(status) verb(show) verb(stats) verb(events)	\
	title("Talk to a guest")					\
	verb(exec) verb(shell) verb(cp) verb(agent) verb(cache)	\
	verb(console) verb(log) verb(nmi) verb(dump)			\
	title("Devices of a guest that runs")				\
	verb(disk) verb(net) verb(share)

#define VERB_NO_TITLE(title)
#define VERB_DECLARE(name)	extern const struct verb verb_##name;
VERBS(VERB_NO_TITLE, VERB_DECLARE)

/* DEFINE_VERB(list) = { .name = "list", ... }: struct verb verb_list, which VERBS() has declared */
#define DEFINE_VERB(name)	__typeof__(verb_##name) verb_##name

/* guests.c */

/**
 * struct guest_view - a guest in /sys/class/sigma
 * @cpus: "2,3"
 * @cpus_lent: those of @cpus that it has now; "": none, it is asleep
 * @release: of its kernel; "" until its driver reports it
 * @guard: kind of its guard
 * @panic: its panic message; "" if it has not panicked
 * @memory: bytes
 */
struct guest_view {
	char name[SIGMA_NAME_MAX];
	char state[32];
	char cpus[512];
	char cpus_lent[512];
	char release[256];
	char guard[32];
	char panic[1024];
	uint64_t memory;
	uint64_t heartbeat;
	uint64_t doorbells_sent;
	uint64_t ipis_sent;
	uint64_t doorbells_received;
	uint64_t interrupts_received;
};

/** guest_view - read one guest; 0 or -ENOENT, not reported */
int guest_view(struct guest_view *guest, const char *name);

/**
 * guest_sleeps_on - why a guest sleeps on after the machine's sleep
 * @why: out; "": it does not, or its device is not for us
 */
void guest_sleeps_on(const char *name, char why[REASON_TEXT_MAX]);

/**
 * guest_violation - what a guest did that its guard stopped
 *
 * Return: 0, or a negative errno, not reported: there is no violation, or the device is not for us.
 */
int guest_violation(const char *name, struct sigma_violation *violation);

/** guest_gathered - bytes of memory that a guest in the making has so far; 0 for other guests */
uint64_t guest_gathered(const char *name);

/** guest_views - read all guests, sorted by name; their number or -errno. Free *@guests. */
int guest_views(struct guest_view **guests);

#define GUEST_OFF "off"		/* state of a guest file without a guest */

/** guest_views_all - as guest_views(), and the files in GUEST_FILES that have no guest */
int guest_views_all(struct guest_view **guests);

/** guest_has_file - does GUEST_FILES have a file for a guest of this name? */
bool guest_has_file(const char *name);

/** guest_check - does the guest exist? EXIT_OK, or another exit status with a message */
int guest_check(const char *name);

/** guest_device - open /dev/sigma/NAME; a reported -errno, or -ESRCH, not reported: it is gone */
int guest_device(const char *name);

/**
 * guest_remove - stop and destroy a guest without its sigmad
 *
 * Return: 0, 1 if the guest is gone already, or a reported -errno.
 */
int guest_remove(const char *name);

/** guests_control_number - read a number in /sys/class/sigma/control; 0 if it can't be read */
uint64_t guests_control_number(const char *attr);

/* uevents.c */

#define UEVENT_MAX	4096	/* bytes: UEVENT_BUFFER_SIZE of the kernel, and the head */

/**
 * struct uevent - one uevent of a guest
 * @action: "add", "change", "remove", ...
 * @name: of the guest
 * @state: of the guest
 * @text: the text that the other members point into
 */
struct uevent {
	const char *action, *name, *state;
	char text[UEVENT_MAX + 1];
};

/** uevents_open - open a socket that receives uevents from now on; or -errno */
int uevents_open(void);

/** uevent_read - read the next one: 1; 0: none waits; -ENOBUFS: some were lost; or -errno */
int uevent_read(int fd, struct uevent *uevent);

/* systemctl.c */

/**
 * systemctl - run systemctl @verb on a guest's unit, sigma@NAME.service
 * @option: an option for @verb, or "--"
 * @remedy: for the message if there is no systemctl
 *
 * Return: EXIT_OK, or EXIT_FAILED, reported.
 */
int systemctl(const char *verb, const char *option, const char *name, const char *remedy);

/* client.c */

/** enum sigmad - what sigmactl finds out about a guest's sigmad */
enum sigmad {
	SIGMAD_SERVES,
	SIGMAD_GONE,		/* it ended or died; the guest has no devices any more */
	SIGMAD_DENIED,		/* we may not connect to it */
	SIGMAD_SILENT,		/* it does not answer */
};

/** client_seen - the meaning of an error of client_open() or of a D-Bus call */
enum sigmad client_seen(int error);

/** client_seen_word - the word of an enum sigmad, for people and JSON */
const char *client_seen_word(enum sigmad sigmad);

/** client_complain - print the meaning and the remedy of an error; returns @status */
int client_complain(int status, const char *name, int error);

/** client_refused - print why sigmad refused a call, each line as one of ours; returns @status */
int client_refused(int status, sd_bus *bus, const char *name, const sd_bus_error *error);

/**
 * client_failed - print why a call to sigmad failed
 * @error: negative errno that the call returned
 * @why: what sigmad answered, if it did
 *
 * Return: @status
 */
int client_failed(int status, sd_bus *bus, const char *name, int error, const sd_bus_error *why);

/**
 * client_call - call a method of sigmad that returns nothing
 * @timeout: microseconds
 * @types: NULL, or those of the arguments that follow
 *
 * Return: an exit status, reported.
 */
int client_call(sd_bus *bus, const char *name, const char *method, uint64_t timeout, const char *types, ...);

/**
 * client_open - connect to the guest's sigmad
 * @deadline: for this and for the call that follows, on CLOCK_MONOTONIC
 *
 * Return: 0 or -errno, not reported; see client_seen().
 */
int client_open(sd_bus **bus, const char *name, uint64_t deadline);

/**
 * client_pidfd - open a pidfd of the guest's sigmad, whether or not it answers
 * @pid: out: its process ID
 *
 * Return: a pidfd, or -errno, not reported; see client_seen().
 */
int client_pidfd(const char *name, pid_t *pid);

/**
 * client_watch - connect as client_open() does, and call @on_state for each change of state
 * @state: NULL, or out: the present state, to be freed
 */
int client_watch(sd_bus **bus, const char *name, uint64_t deadline,
		 sd_bus_message_handler_t on_state, void *data, char **state);

/** client_step - wait for messages and handle them: 1; 0 if @deadline has passed; or -errno */
int client_step(sd_bus *bus, uint64_t deadline);

/**
 * client_wait_end - wait until sigmad has returned everything to the host and has ended
 *
 * Return: 0 or -ETIMEDOUT.
 */
int client_wait_end(sd_bus *bus, uint64_t deadline);

/* wake.c */

/**
 * wake_guest - wake a guest that is asleep, and wait until it runs
 * @timeout: microseconds
 * @refused: out: sigmad says that it cannot be woken
 *
 * Return: an exit status, reported.
 */
int wake_guest(const char *name, uint64_t timeout, bool *refused);

/* served.c */

/**
 * struct served_device - a device of the guest that can be removed
 * @keys: "Key=value", ends with NULL
 * @leaving: unplug pending: the guest was asked to release it and has not done so yet
 * @stopped: NULL; or what is wrong with it, so that it has stopped, and what to do
 * @trouble: the same of one that works on
 */
struct served_device {
	uint32_t id;
	const char *kind, *name;
	char **keys;
	int leaving;
	const char *stopped, *trouble;
};

/**
 * struct served_counters - counters of a device that sigmad serves itself
 * @type: "blk", "net", "console", ...
 * @requests: that went through its virtqueues
 * @from: bytes from the guest, with the headers of requests
 * @to: bytes to the guest, with the headers of requests
 */
struct served_counters {
	uint32_t id;
	const char *type;
	uint64_t requests, from, to;
};

/**
 * struct served - properties of a guest that only its sigmad knows
 * @sigmad: unless it is SIGMAD_SERVES, all other members are 0 and NULL
 * @started_usec: the guest's last start, on CLOCK_REALTIME; 0: not known
 * @wakes_at_usec: when the guest, which is asleep, will be woken, likewise; 0: not at a time
 * @vsock_cid: 0: the guest has no AF_VSOCK
 * @reply: the message that holds the strings
 */
struct served {
	enum sigmad sigmad;
	uint32_t pid;
	uint64_t started_usec;
	uint64_t wakes_at_usec;
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

/** served_read - ask the guest's sigmad, for two seconds at most; served_free() afterwards */
void served_read(struct served *served, const char *name);
void served_free(struct served *served);

/** served_read_devices - read the variant of the property Devices, which is next in @reply */
int served_read_devices(sd_bus_message *reply, struct served *served);

/** served_uptime - microseconds since the guest's last start; 0: not known */
uint64_t served_uptime(const struct served *served);

/* sigmad.c */

/**
 * struct sigmad_bond - of a sigmad to the process that starts it
 * @caller: the end of a pipe whose other end only this process has: when that is closed, sigmad
 *	    stops the guest at once; -1: none, with @restores
 * @file: of the guest, with @restores
 * @owner: NULL, or the user that the guest belongs to, of owner_format()
 * @copies: with @restores: the guest is a copy, with a name of its own
 */
struct sigmad_bond {
	int caller, file;
	const char *owner;
	bool restores, force, copies;
};

/**
 * sigmad_begin - start a guest, with a sigmad that is a child of this process
 * @guest: NAME or FILE
 * @name: out: the guest's name
 * @bond: NULL, or how it is bound to this process
 * @pid: out: process ID of sigmad
 * @notify: NULL, or out: the socket that sigmad reports to. Close it soon, since sigmad blocks when
 *	    the socket is full
 *
 * Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT for the rest of this process. Return: EXIT_OK when the
 * guest's CPU has begun; or another exit status, with a message.
 */
int sigmad_begin(const char *guest, char name[SIGMA_NAME_MAX], const struct sigmad_bond *bond,
		 pid_t *pid, int *notify);

/**
 * sigmad_restore - have a sigmad make the guest @name of its file again, which is asleep then
 * @fd: the file, at its beginning
 * @force: also if a disk was changed since
 * @copies: the guest in the file has another name
 *
 * As sigmad_begin(). After an error the guest may be there, if sigmad was killed.
 */
int sigmad_restore(const char *name, int fd, bool force, bool copies);

/** sigmad_copy - the same for a copy that ends with this process, as @caller of struct sigmad_bond tells */
int sigmad_copy(const char *name, int fd, int caller, pid_t *pid);

/* identity.c */

/**
 * identity_give - have a guest that is a copy of @was take the host name @name, a machine ID of its own, and
 *		   the MAC addresses that belong to @name
 *
 * Its agent does that. Return: EXIT_OK; or EXIT_FAILED, reported.
 */
int identity_give(const char *name, const char *was);

/** sigmad_last_state - the last state of the guest that waits in the socket; -ENOMSG: none */
int sigmad_last_state(int notify, pid_t pid);

/* terminal.c */

enum terminal_end {
	TERMINAL_LEFT,		/* the key that leaves, or the end of the input */
	TERMINAL_GUEST_ENDED,
	TERMINAL_OUTPUT_ENDED,	/* stdout cannot be written: see output.h */
	TERMINAL_SIGNAL,
	TERMINAL_DONE,		/* struct terminal_watch.done */
};

/**
 * struct terminal_watch - a D-Bus connection to handle while the terminal is connected
 * @bus: connection to the guest's sigmad
 * @done: a handler of the connection's signals sets it to end terminal_talk()
 */
struct terminal_watch {
	sd_bus *bus;
	const bool *done;
};

/* For the help of verbs that call terminal_talk() */
#define ESCAPE_HELP \
"--escape= names another control key that leaves. With --escape=none all keys go to the guest,\n" \
"and its end or a signal ends the connection. The key leaves only when it comes alone: it is a\n" \
"part of a paste if it comes in one piece with other input, or if more follows within 50 ms.\n"

/** terminal_open - open the guest's console for exclusive use: a descriptor or a reported -errno */
int terminal_open(const char *name);

/**
 * terminal_talk - connect stdin and stdout to the guest's console
 * @key: the key that leaves, if stdin is a terminal; or ESCAPE_NONE
 * @watch: or NULL; with it, the end of the input does not end the connection
 */
enum terminal_end terminal_talk(const char *name, int console, int key,
				const struct terminal_watch *watch);

/* complain.c */

/** complain - print "sigmactl: text" on stderr; returns @status, for "return complain(...)" */
int complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* colour.c */

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_YELLOW, COLOUR_RED, COLOUR_BOLD };

/** colour - the escape sequence of @colour; "" if stdout is no terminal, or $NO_COLOR is set */
const char *colour(enum colour colour);
enum colour colour_of_state(const char *state);

/* clock.c */

/** clock_now - microseconds on @clock */
uint64_t clock_now(clockid_t clock);

/** clock_deadline - the time @usec from now, on CLOCK_MONOTONIC */
uint64_t clock_deadline(uint64_t usec);

/* text.c */

/** guests_open_attr - open a file of the guest in sysfs; NULL: see errno */
FILE *guests_open_attr(const char *name, const char *attr);

/**
 * shared_print - who holds what of memory objects
 * @file: "shared" of a guest in sysfs
 *
 * Return: an exit status.
 */
int shared_print(FILE *file, bool json, bool legend);

/** shared_show - that of a guest, which exists. Return: an exit status */
int shared_show(const char *name, const struct options *options);

/** text_size - format a size: "512M", "1.5G" */
const char *text_size(char text[32], uint64_t bytes);

/** when_span - "90", "90s", "10min", "8h", "2d": microseconds, from 1 s to a year; 0 or -EINVAL */
int when_span(const char *text, uint64_t *usec);

/**
 * when_time - "18:30", "18:30:15", "2030-01-31 18:30", "@SECONDS": microseconds since 1970
 * @now: likewise. A time of day is the next one
 *
 * Return: 0, or -EINVAL: it is none, or is past.
 */
int when_time(const char *text, uint64_t now, uint64_t *usec);

/** text_span - format a span of time: "3min 5s" */
const char *text_span(char text[32], uint64_t usec);

/** text_wider - the width of a column that was @width wide and gets @text */
int text_wider(int width, const char *text);

/** text_distance - number of letters to add, remove or change to turn @a into @b */
unsigned int text_distance(const char *a, const char *b);

/** text_print - print a guest's text on stdout, filtered as common/text.h says */
void text_print(const char *text, size_t len);

/** text_print_stream - print the next piece of a stream likewise */
void text_print_stream(struct text_filter *filter, const char *text, size_t len);

/* microcode.c */

/**
 * microcode_check - find CPUs with older microcode than others
 * @cpuinfo: path of /proc/cpuinfo
 * @guests: pattern of the files .../NAME/microcode of sigma.ko
 */
void microcode_check(const char *cpuinfo, const char *guests);

/* report.c */

/** report_print - print what 'sigmactl check --report' adds to the checks */
void report_print(void);

/* log.c */

/** log_print_tail - print the last @lines lines of the guest's log, each after @indent */
void log_print_tail(const char *name, unsigned long lines, const char *indent);

#endif
