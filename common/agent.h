/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The protocol between sigmactl and the agent, a program in the guest that runs other programs there
 * (guest/agent/). One connection, of AF_VSOCK to AGENT_PORT, is for one program.
 *
 * Both sides send frames: a struct agent_header, and @size bytes that belong to it. All numbers are
 * little-endian. A side that gets what is not as it is described here closes the connection.
 *
 *	1. The host sends HELLO, with the key of this start of the guest.
 *	2. It describes the program: ARG for each argument, ENV for each variable, and whatever else
 *	   is needed of WORKDIR, USER, IDS, UMASK, LIMIT and TERMINAL. Then it sends START.
 *	3. The agent answers by STARTED or FAILED. The latter is the end.
 *	4. DATA, END, CREDIT and SHUT of the streams go in both directions, SIGNAL and SIZE to the
 *	   guest, STOPPED to the host.
 *	5. After the last DATA and END the agent sends EXITED.
 *
 * If the connection ends before that, the agent ends the program.
 *
 * Streams are the program's standard streams, and its terminal, if it has one. Who receives a
 * stream has room for AGENT_WINDOW bytes at first. Who sends it never sends more than that, and by
 * CREDIT it gets to know that so many more bytes are free. END is the end of a stream. By SHUT the
 * receiver says that nobody reads it any more: what is under way, up to END, is thrown away.
 */
#ifndef SIGMA_AGENT_H
#define SIGMA_AGENT_H

#include <assert.h>
#include <stdint.h>

#define AGENT_PORT		744	/* below 1024, so only root of the guest can listen at it */
#define AGENT_VERSION		1
#define AGENT_MAGIC		"SGAGENT"
#define AGENT_KEY_SIZE		32
#define AGENT_WINDOW		(256U << 10)
#define AGENT_PAYLOAD_MAX	(128U << 10)	/* a string may be as long as execve() takes one */
#define AGENT_STRINGS_MAX	(64U << 10)	/* arguments and variables */
#define AGENT_STRINGS_SIZE_MAX	(8U << 20)	/* their bytes */
#define AGENT_GROUPS_MAX	1024
#define AGENT_SIGNAL_MAX	64

/*
 * The ACPI table with the key: a header (AGENT_TABLE_HEADER bytes), and the key. Linux shows tables
 * to root only.
 */
#define AGENT_TABLE		"SGAK"
#define AGENT_TABLE_HEADER	36

/* Exit statuses as of env(1): the program was not run, cannot be executed, is not there */
#define AGENT_STATUS_FAILED	125
#define AGENT_STATUS_NOT_RUN	126
#define AGENT_STATUS_NOT_FOUND	127

enum agent_type {
	/* to the agent */
	AGENT_HELLO	= 1,	/* struct agent_hello */
	AGENT_ARG	= 2,	/* text; strings have no NUL */
	AGENT_ENV	= 3,	/* NAME=VALUE */
	AGENT_WORKDIR	= 4,	/* path; the user's home otherwise, or else / */
	AGENT_USER	= 5,	/* USER or USER:GROUP, names or numbers of the guest; root otherwise */
	AGENT_IDS	= 6,	/* in place of USER: UID, GID, supplementary GIDs, 32 bits each */
	AGENT_UMASK	= 7,	/* 32 bits */
	AGENT_LIMIT	= 8,	/* struct agent_limit, as often as needed */
	AGENT_TERMINAL	= 9,	/* struct agent_terminal */
	AGENT_START	= 10,	/* struct agent_start */
	AGENT_SIGNAL	= 11,	/* 32 bits: number of a signal for the program's process group */
	AGENT_SIZE	= 12,	/* struct agent_size: the terminal's new size */
	/* to the host */
	AGENT_STARTED	= 32,	/* 32 bits: process ID */
	AGENT_FAILED	= 33,	/* 32 bits: AGENT_STATUS_*; and a text that says why */
	AGENT_STOPPED	= 34,	/* 32 bits: the signal; SIGCONT continues the program */
	AGENT_EXITED	= 35,	/* struct agent_exited */
	/* in both directions */
	AGENT_DATA	= 64,	/* bytes of a stream */
	AGENT_END	= 65,
	AGENT_CREDIT	= 66,	/* 32 bits: number of bytes */
	AGENT_SHUT	= 67,
};

enum agent_stream {
	AGENT_STDIN, AGENT_STDOUT, AGENT_STDERR,
	AGENT_TTY,		/* keys to the guest, output to the host */
	AGENT_NR_STREAMS
};

/** struct agent_header - before each frame; @stream: enum agent_stream, or 0 */
struct agent_header {
	uint32_t size;
	uint16_t type;
	uint16_t stream;
};
static_assert(sizeof(struct agent_header) == 8, "layout");

/** struct agent_hello - @magic: AGENT_MAGIC with its NUL */
struct agent_hello {
	char magic[8];
	uint32_t version;
	uint32_t reserved;
	uint8_t key[AGENT_KEY_SIZE];
};
static_assert(sizeof(struct agent_hello) == 48, "layout");

/** struct agent_limit - a limit as of setrlimit(2) */
struct agent_limit {
	uint32_t resource;
	uint32_t reserved;
	uint64_t soft, hard;
};
static_assert(sizeof(struct agent_limit) == 24, "layout");

struct agent_size {
	uint16_t rows, columns, width, height;
};
static_assert(sizeof(struct agent_size) == 8, "layout");

#define AGENT_TERMINAL_CHARS	32

/**
 * struct agent_terminal - the program gets a terminal, AGENT_TTY
 * @streams: bits 1 << AGENT_STDIN and so on: these are the terminal, and no streams of their own
 * @input, @output, @control, @local, @chars: flags and control characters as of termios(3);
 *	@chars[0] is VINTR, and so on. All are 0: the guest's default
 */
struct agent_terminal {
	struct agent_size size;
	uint32_t streams;
	uint32_t input, output, control, local;
	uint8_t chars[AGENT_TERMINAL_CHARS];
};
static_assert(sizeof(struct agent_terminal) == 60, "layout");

#define AGENT_START_SHELL	(1 << 0)	/* the user's login shell; arguments are for it */
#define AGENT_START_BARE	(1 << 1)	/* the environment is only what ENV says */
#define AGENT_START_FLAGS	(AGENT_START_SHELL | AGENT_START_BARE)

/**
 * struct agent_start - run it
 * @flags: AGENT_START_*
 * @ignored: bit N - 1: the program ignores signal N; the others have their default effect
 */
struct agent_start {
	uint32_t flags;
	uint32_t reserved;
	uint64_t ignored;
};
static_assert(sizeof(struct agent_start) == 16, "layout");

/** struct agent_exited - @signal: it died of this one; 0: by itself, with exit status @status */
struct agent_exited {
	uint32_t status;
	uint32_t signal;
};
static_assert(sizeof(struct agent_exited) == 8, "layout");

#endif
