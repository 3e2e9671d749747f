// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel log in the IOSC window, where the host can read it even after this guest died.
 *
 * This is a console without a tty, as netconsole is. CON_ENABLED enables it whatever the command
 * line says. It has no ->device(), so it never becomes /dev/console nor counts as the first real
 * console: `console=hvc0` and the default console work as if it were not there. CON_PRINTBUFFER
 * makes it start with all that was logged before this module was loaded.
 *
 * Writing only stores to memory and rings a doorbell. It takes no lock, does not wait, and calls no
 * printk, so it may run on any CPU at any time (CON_ANYTIME). printk serialises the writers, except
 * perhaps in a kernel's last moments. Then two writers may garble a line, but do no more harm,
 * since every store is masked to stay in the ring.
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
	/* Release: the bytes become visible before their number */
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
 * This console may lack the last records: another CPU held the console lock when it was stopped, or
 * this CPU panics in an NMI. They are read from printk's own buffer, which needs no lock.
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
	/* Not 0 if an earlier attempt to bind has used the log */
	log_head = le64_to_cpu(READ_ONCE(log->head));
	register_console(&sigma_console);
}

void sigma_console_close(void)
{
	unregister_console(&sigma_console);
}
