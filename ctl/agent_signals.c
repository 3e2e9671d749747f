// SPDX-License-Identifier: GPL-2.0
/* Signals that this process gets in place of a program in a guest: see agent.h. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent.h"

static const int own[] = {	/* signals that are about this process only, and faults */
	SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
	SIGABRT, SIGTTIN, SIGTTOU, SIGXCPU, SIGXFSZ,
};

static bool is_own(int number)
{
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (own[i] == number)
			return true;
	return false;
}

uint64_t agent_signal_bit(int number)
{
	return 1ULL << (number - 1);
}

uint64_t agent_signals_ignored(void)
{
	struct sigaction action;
	uint64_t ignored = 0;

	for (int i = 1; i <= SIGRTMAX; i++)
		if (!sigaction(i, NULL, &action) && !(action.sa_flags & SA_SIGINFO) &&
		    action.sa_handler == SIG_IGN)
			ignored |= agent_signal_bit(i);
	return ignored;
}

int agent_signals_catch(struct agent_signals *signals)
{
	const uint64_t ignored = agent_signals_ignored();
	sigset_t caught;

	sigemptyset(&caught);
	for (int i = 1; i <= SIGRTMAX; i++)
		if (!is_own(i) && !(ignored & agent_signal_bit(i)))
			sigaddset(&caught, i);
	/* Their default effect is none, so they need not be passed on as ignored */
	sigaddset(&caught, SIGWINCH);
	sigaddset(&caught, SIGCONT);
	sigprocmask(SIG_BLOCK, &caught, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals->fd = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->fd < 0 ? -errno : 0;
}

void agent_signals_take(struct agent_signals *signals)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo <= AGENT_SIGNAL_MAX)
			signals->pending |= agent_signal_bit(info.ssi_signo);
}

void agent_signals_stop(int number, bool job)
{
	struct sigaction before = {}, usual = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigaction(number, &usual, &before);
	if (job)
		kill(0, number);
	else
		raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(number, &before, NULL);
}
