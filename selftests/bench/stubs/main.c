// SPDX-License-Identifier: GPL-2.0
/*
 * stubs FILE: count the instructions that stubs take for a call. A table goes to the standard
 * output, in Markdown, and the figures go to FILE as JSON.
 *
 * A call is made over a pair of rings by one process and answered by another. One of the two is run
 * by this one instruction by instruction (ptrace(2)): the client in the first run of a call, the
 * server in the second. An instruction is the stub's unless it is in a function, or in what that
 * calls, that is the channel's or the server's work. One that repeats (rep movsb) counts once. What
 * a channel takes to wait is not counted: the server's message is there, and of the client's only
 * the stub is counted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stubs.h"

#define WARM 3 /* calls before the one that is counted, so that symbols are bound */
#define DEEP	64

static const struct way *const ways[] = { &by_hand, &by_idl, &by_rpcgen, &by_protobuf };
static const char *const ops[] = { "null", "open", "write", "get_direntries" };

/* The server's work. What the compiler knows of it would make it vanish */

__attribute__((noipa)) uint32_t work_open(const char *path, size_t length, uint32_t flags,
					  uint32_t mode)
{
	return path[length - 1] + flags + mode;
}

__attribute__((noipa)) uint32_t work_write(const void *data, size_t length)
{
	return length;
}

__attribute__((noipa)) size_t work_entries(uint64_t base, void *entries, uint64_t *next)
{
	*next = base + 1;
	return ENTRIES_BYTES;
}

__attribute__((noipa)) static void counted_from_here(void)
{
	raise(SIGTRAP);
}

static const struct piece common[] = {
	{ iosc_send, CHANNEL }, { iosc_recv, CHANNEL }, { iosc_reserve, CHANNEL },
	{ iosc_commit, CHANNEL }, { iosc_peek, CHANNEL }, { iosc_release, CHANNEL },
	{ work_open, WORK }, { work_write, WORK }, { work_entries, WORK },
	{ },
};

/* Counting */

/** struct frame - a piece that has been entered: where it returns to */
struct frame {
	enum part part;
	unsigned long address, stack;
};

static const struct piece *find(const struct piece *pieces, unsigned long address)
{
	for (; pieces->function; pieces++)
		if ((unsigned long)pieces->function == address)
			return pieces;
	return NULL;
}

static void step(pid_t pid, int request, struct user_regs_struct *regs)
{
	int status;

	MUST(!ptrace(request, pid, NULL, NULL));
	MUST(waitpid(pid, &status, 0) == pid);
	if (!WIFSTOPPED(status))
		exit(EXIT_FAILURE);	/* it has said why */
	MUST(!ptrace(PTRACE_GETREGS, pid, NULL, regs));
}

/* Of @function, which is called next */
static void count(pid_t pid, const struct way *way, void (*function)(void),
		  unsigned long counts[NR_PARTS])
{
	const struct piece whole[] = { { function, STUB }, { } };
	struct frame frames[DEEP];
	struct user_regs_struct regs;
	unsigned long last = 0;
	int depth = 0;

	step(pid, PTRACE_CONT, &regs);
	while (regs.rip != (unsigned long)function)
		step(pid, PTRACE_SINGLESTEP, &regs);
	do {
		const struct piece *piece = find(common, regs.rip) ?: find(way->pieces, regs.rip) ?:
					    find(whole, regs.rip);

		if (piece && depth < DEEP) {
			frames[depth++] = (struct frame){
				.part = piece->part, .stack = regs.rsp + 8,
				.address = ptrace(PTRACE_PEEKDATA, pid, regs.rsp, NULL),
			};
		}
		while (depth && regs.rip == frames[depth - 1].address &&
		       regs.rsp == frames[depth - 1].stack)
			depth--;
		if (depth && regs.rip != last)
			counts[frames[depth - 1].part]++;
		last = regs.rip;
		step(pid, PTRACE_SINGLESTEP, &regs);
	} while (depth);
}

/* The processes */

static void wait_for_message(struct iosc *channel)
{
	while (!(iosc_wait(channel, POLLIN, NULL) & POLLIN))
		;
}

static void run_client(const struct way *way, struct iosc *channel, enum op op, int counted)
{
	iosc_set_spin(channel, IOSC_SPIN_FOREVER);
	way->begin(channel, 0);
	way->call[OP_OPEN]();
	for (int i = 0; i < WARM; i++)
		way->call[op]();
	if (counted)
		counted_from_here();
	way->call[op]();
	_exit(EXIT_SUCCESS);
}

static void run_server(const struct way *way, struct iosc *channel, int counted)
{
	iosc_set_spin(channel, IOSC_SPIN_FOREVER);
	way->begin(channel, 1);
	for (int i = 0; i < WARM + 2; i++) {
		wait_for_message(channel);
		if (counted && i == WARM + 1)
			counted_from_here();
		way->serve();
	}
	_exit(EXIT_SUCCESS);
}

static pid_t start(const struct way *way, struct iosc *ends[2], enum op op, int server, int counted)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (counted) {
		MUST(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
	}
	if (server)
		run_server(way, ends[0], counted);
	run_client(way, ends[1], op, counted);
	return 0;
}

static void measure(const struct way *way, enum op op, int server, unsigned long counts[NR_PARTS])
{
	struct iosc *ends[2];
	pid_t pid, other;
	int status;

	MUST(!iosc_pair(ends));
	other = start(way, ends, op, !server, 0);
	pid = start(way, ends, op, server, 1);
	MUST(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	count(pid, way, server ? way->serve : way->call[op], counts);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(waitpid(other, &status, 0) == other);
	iosc_close(ends[0]);
	iosc_close(ends[1]);
}

/* Tables */

static unsigned long counted[sizeof(ways) / sizeof(*ways)][NR_OPS][2][NR_PARTS];

/* As figures.sh writes them; what is SIGMA's own begins with "sigma" */
static const char *side_of(const struct way *way)
{
	return !strcmp(way->name, "iosc-idl") ? "sigma" : way->name;
}

static void print_figures(FILE *out)
{
	fputs("item\tcalls\tInstructions of a call\tThe same calls over the same channel; the stubs of client and server, and for \"null\" what the channel takes at the server. Counted one by one.\n", out);
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++)
		fprintf(out, "side\tcalls\t%s\t%s\t\n", side_of(ways[w]), ways[w]->name);
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		for (enum op op = 0; op < NR_OPS; op++)
			fprintf(out, "figure\tcalls\t%s\tinstructions\t%s\t%lu\n", ops[op], side_of(ways[w]),
				counted[w][op][0][STUB] + counted[w][op][1][STUB]);
		fprintf(out, "figure\tcalls\tthe channel, at the server\tinstructions\t%s\t%lu\n",
			side_of(ways[w]), counted[w][OP_NULL][1][CHANNEL]);
	}
}

/* In Markdown: client + server */
static void print_table(void)
{
	printf("| stubs |");
	for (enum op op = 0; op < NR_OPS; op++)
		printf(" %s |", ops[op]);
	puts(" server's channel, null |\n| --- | --- | --- | --- | --- | --- |");
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		printf("| %s |", ways[w]->name);
		for (enum op op = 0; op < NR_OPS; op++)
			printf(" %lu + %lu |", counted[w][op][0][STUB], counted[w][op][1][STUB]);
		printf(" %lu |\n", counted[w][OP_NULL][1][CHANNEL]);
	}
}

int main(int argc, char **argv)
{
	FILE *figures = argc > 1 ? fopen(argv[1], "we") : NULL;

	if (!figures)
		err(EXIT_FAILURE, "give a file for the figures");
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++)
		for (enum op op = 0; op < NR_OPS; op++)
			for (int server = 0; server < 2; server++)
				measure(ways[w], op, server, counted[w][op][server]);
	print_table();
	print_figures(figures);
	MUST(!fclose(figures));
	return EXIT_SUCCESS;
}
