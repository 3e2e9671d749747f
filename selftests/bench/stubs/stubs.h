/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For "make bench T=calls": the same four calls over the same channel by stubs of several makers.
 * Each has a file with the client's and the server's side; main.c counts their instructions.
 */
#ifndef BENCH_STUBS_H
#define BENCH_STUBS_H

#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../../lib/iosc.h"

enum op { OP_NULL, OP_OPEN, OP_WRITE, OP_ENTRIES, NR_OPS };

#define PATH		"/etc/passwd"
#define WRITE_BYTES	64
#define ENTRIES_BYTES	256
#define MANY		8		/* results have more room than is used */

/* Who an instruction is counted for */
enum part { STUB, CHANNEL, WORK, NR_PARTS };

/** struct piece - a function, and for whom it and what it calls count */
struct piece {
	void *function;
	enum part part;
};

/**
 * struct way - stubs of one maker
 * @begin: over this end of the channel, as the client or as the server
 * @call: call each method and wait; ends the program where a result is not as it should be
 * @serve: answer one call
 * @pieces: those that are not the same for all
 */
struct way {
	const char *name;
	void (*begin)(struct iosc *channel, int server);
	void (*call[NR_OPS])(void);
	void (*serve)(void);
	const struct piece *pieces;
};

extern const struct way by_hand, by_idl, by_rpcgen, by_protobuf;

/* What the server does, whoever called: main.c */
uint32_t work_open(const char *path, size_t length, uint32_t flags, uint32_t mode);
uint32_t work_write(const void *data, size_t length);
size_t work_entries(uint64_t base, void *entries, uint64_t *next);

#define MUST(condition) do {							\
	if (!(condition))							\
		errx(EXIT_FAILURE, "%s:%d: not so: %s", __FILE__, __LINE__, #condition);	\
} while (0)

#endif
