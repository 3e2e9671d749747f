// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel log in the IOSC window, where the host reads it, dead or alive.
 *
 * A console without a tty, as netconsole is one: CON_ENABLED lets it in whatever the command
 * line says, and having no ->device() it never becomes /dev/console nor counts as the first
 * real console, so that `console=hvc0` and its default work as if it were not there. With
 * CON_PRINTBUFFER it starts with what was logged before this module came.
 *
 * Writing is storing to memory and ringing a doorbell: no lock, no wait, no printk, on any
 * CPU at any time (CON_ANYTIME). printk serialises the writers. In its last moments a
 * kernel may not be able to, and then two of them may garble a line, but not more, since
 * every store is masked into the ring.
 */
#include <linux/console.h>
#include <linux/kmsg_dump.h>

#include "guest.h"

#define LINE_MAX	1024	/* longest record that printk formats, with its prefix */

static struct sigma_guest *console_guest;
static struct sigma_iosc_log *log;
static u64 log_head;		/* bytes ever written; never read back from the window */

static void log_write(const char *text, size_t len)
{
	while (len) {
		size_t at = log_head & (SIGMA_IOSC_LOG_BYTES - 1);
		size_t part = min_t(size_t, len, SIGMA_IOSC_LOG_BYTES - at);

		memcpy(log->data + at, text, part);
		log_head += part;
		text += part;
		len -= part;
	}
	/* The bytes before their number */
	smp_store_release(&log->head, cpu_to_le64(log_head));
	sigma_iosc_ring(console_guest, SIGMA_DOORBELL_LOG);
}

static void sigma_console_write(struct console *con, const char *text, unsigned int len)
{
	log_write(text, len);
}

static struct console sigma_console = {
	.name	= "sigma",
	.write	= sigma_console_write,
	.flags	= CON_PRINTBUFFER | CON_ENABLED | CON_ANYTIME,
	.index	= -1,
};

/*
 * What this console has not been given, because another CPU held the console lock when it
 * was stopped, or because this one panics in an NMI, is read from printk's own buffer, which
 * needs no lock.
 */
void sigma_console_flush(void)
{
	static char line[LINE_MAX];
	struct kmsg_dump_iter iter;
	size_t len;

	kmsg_dump_rewind(&iter);
	iter.cur_seq = max(iter.cur_seq, READ_ONCE(sigma_console.seq));
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line), &len))
		log_write(line, len);
}

void sigma_console_open(struct sigma_guest *guest)
{
	console_guest = guest;
	log = guest->window + SIGMA_IOSC_LOG_OFF;
	/* Ours, and not 0 when an earlier attempt to bind used it */
	log_head = le64_to_cpu(READ_ONCE(log->head));
	register_console(&sigma_console);
}

void sigma_console_close(void)
{
	unregister_console(&sigma_console);
}
