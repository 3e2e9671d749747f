// SPDX-License-Identifier: GPL-2.0
/* Standard output: see output.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "output.h"

#define BUFFER_SIZE	(1 << 20)	/* of stdout: a whole kernel log */
#define UNKNOWN (-1)	/* stdio has dropped output and does not keep the reason */

static int failure;	/* the errno of the first write that failed, UNKNOWN, or 0 */

void output_open(void)
{
	static char buffer[BUFFER_SIZE];
	/* The opposite direction: what uses a stream that is not there fails, as it should */
	static const int modes[] = {
		[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY,
	};

	for (size_t fd = 0; fd < sizeof(modes) / sizeof(*modes); fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
			return;
	/* stdio does not tell why a write failed that it made by itself; with room it makes none */
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

void output_fail(int error)
{
	if (!failure)
		failure = error;
}

bool output_works(void)
{
	return !failure;
}

bool output_flush(void)
{
	if (fflush(stdout))
		output_fail(errno);
	else if (ferror(stdout))
		output_fail(UNKNOWN);
	return output_works();
}

static int end_by_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGPIPE);
	return EXIT_FAILURE;
}

int output_close(int status)
{
	/* Network file systems report some errors only now. EBADF: a verb has closed it */
	if (output_flush() && close(STDOUT_FILENO) && errno != EBADF)
		output_fail(errno);
	if (failure == EPIPE)
		return status ?: end_by_sigpipe();
	if (failure)
		log_error(-EIO, "cannot write to standard output%s%s",
			  failure == UNKNOWN ? "" : ": ",
			  failure == UNKNOWN ? "" : strerror(failure));
	/* A message that nobody got is lost output, too, and there is nowhere to report that */
	if (failure || ferror(stderr))
		return status ?: EXIT_FAILURE;
	return status;
}
