// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-console (virtio 1.2, 5.3): one port, /dev/hvc0 in the guest, a pty on the host.
 *
 * sigmad keeps the slave open, too, so that clients can come and go. The guest never waits for
 * them: its output goes to the pty through a backlog of BACKLOG bytes. While no client reads, first
 * the pty and then the backlog become full, and then the oldest output is dropped. The next client
 * finds "<missed N bytes>" in its place. Input is only read when the guest has provided buffers;
 * the rest waits in the pty.
 *
 * The guest's console has the size of the pty's window. The kernel does not tell the master of a
 * new size, so a client that sets one touches the slave afterwards (futimens(2)), and inotify tells
 * sigmad. For clients that do not touch it, the size is checked when there is input, too.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "../../common/assert.h"
#include "../../common/log.h"
#include "backends.h"
#include "bus.h"

#define QUEUE_SIZE	64
#define BATCH		64
#define BACKLOG		65536		/* power of two */
#define TELL_ROOM	(1 << 20)	/* bytes of a batch for con->heard(), which looks at each */
#define COLUMNS		80
#define ROWS		24

enum { RX, TX, NR_QUEUES };

struct console {
	struct virtio_device dev;
	struct virtio_console_config config;
	void (*heard)(void *data, const char *text, size_t len);
	void *data;
	int master, slave;
	sd_event_source *source, *touched;
	bool input;		/* the guest has provided an input buffer */
	bool starts;		/* the driver has just started, and is to be told the size */
	bool had_input;		/* since the driver started */

	/* Output: byte number N, tail <= N < head, is at backlog[N % BACKLOG] */
	uint64_t head, tail;
	uint64_t missed;	/* dropped right before tail */
	char note[48];		/* "<missed N bytes>" on its way out */
	size_t note_at, note_len;
	uint8_t backlog[BACKLOG];

	struct vq_request request;
};

static struct console *to_console(struct virtio_device *dev)
{
	return (struct console *)((char *)dev - offsetof(struct console, dev));
}

static void watch(struct console *con)
{
	bool output = con->head != con->tail || con->note_at < con->note_len;

	sd_event_source_set_io_events(con->source, (con->input ? EPOLLIN : 0) |
				      (output ? EPOLLOUT : 0));
}

/* From the guest */

static void put(struct console *con, const uint8_t *from, size_t len)
{
	/* Only the last BACKLOG bytes would stay */
	if (len > BACKLOG) {
		con->head += len - BACKLOG;
		from += len - BACKLOG;
		len = BACKLOG;
	}
	while (len) {
		size_t at = con->head % BACKLOG, step = BACKLOG - at;

		if (step > len)
			step = len;
		memcpy(con->backlog + at, from, step);
		con->head += step;
		from += step;
		len -= step;
	}
	if (con->head - con->tail > BACKLOG) {
		con->missed += con->head - con->tail - BACKLOG;
		con->tail = con->head - BACKLOG;
	}
	sigma_assert(con->head - con->tail <= BACKLOG);
}

/* Pass output to con->heard(), at most @room bytes of it */
static void pass_output(const struct console *con, size_t *room, const char *from, size_t len)
{
	static const char missed[] = "<missed what follows>\n";

	if (!*room)
		return;
	if (len < *room) {
		*room -= len;
		con->heard(con->data, from, len);
	} else {
		con->heard(con->data, from, *room);
		con->heard(con->data, missed, sizeof(missed) - 1);
		*room = 0;
	}
}

/* Write to the pty, and add the number of bytes to @done; false: the pty is full */
static bool put_out(struct console *con, const void *from, size_t len, size_t *done)
{
	ssize_t n = write(con->master, from, len);

	if (n > 0)
		*done += n;
	return n == (ssize_t)len;
}

static void flush(struct console *con)
{
	for (;;) {
		size_t at = con->tail % BACKLOG, len = con->head - con->tail, done = 0;
		bool all;

		if (con->note_at == con->note_len && con->missed) {
			con->note_len = snprintf(con->note, sizeof(con->note),
						 "\r\n<missed %llu bytes>\r\n",
						 (unsigned long long)con->missed);
			con->note_at = 0;
			con->missed = 0;
		}
		if (con->note_at < con->note_len) {
			if (!put_out(con, con->note + con->note_at,
				     con->note_len - con->note_at, &con->note_at))
				return;
			continue;
		}
		if (!len)
			return;
		if (len > BACKLOG - at)
			len = BACKLOG - at;
		all = put_out(con, con->backlog + at, len, &done);
		con->tail += done;
		if (!all)
			return;
	}
}

static void tx_run(struct console *con)
{
	struct virtqueue *vq = &con->dev.queue[TX];
	struct vq_request *req = &con->request;
	size_t room = TELL_ROOM;
	unsigned int done = 0;

	while (done < BATCH && virtqueue_pop(vq, req) > 0) {
		for (unsigned int i = 0; i < req->out.nr; i++) {
			put(con, req->out.iov[i].iov_base, req->out.iov[i].iov_len);
			pass_output(con, &room, req->out.iov[i].iov_base, req->out.iov[i].iov_len);
		}
		virtqueue_push(vq, req->head, 0);
		done++;
	}
	virtqueue_notify(vq);
	if (done == BATCH)
		virtqueue_kick(vq);
	flush(con);
	watch(con);
}

/* To the guest */

static bool get_size(const struct console *con, struct virtio_console_config *config)
{
	struct winsize size;

	if (ioctl(con->master, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		return false;
	config->cols = htole16(size.ws_col);
	config->rows = htole16(size.ws_row);
	return true;
}

/*
 * The driver reads the size when it is told of a change, never at its start. So it is told once it
 * has started. Linux keeps a change for a driver that is not ready yet; for one that misses it, the
 * first input tells the size again.
 */
static void tell_size(struct console *con)
{
	if (get_size(con, &con->config))
		virtio_device_config_changed(&con->dev);
}

static void check_size(struct console *con)
{
	struct virtio_console_config now = con->config;

	if (get_size(con, &now) &&
	    (!con->had_input || now.cols != con->config.cols || now.rows != con->config.rows))
		tell_size(con);
	con->had_input = true;
}

static int on_touched(sd_event_source *source, const struct inotify_event *event, void *data)
{
	tell_size(data);
	return 0;
}

static void rx_run(struct console *con)
{
	struct virtqueue *vq = &con->dev.queue[RX];
	struct vq_request *req = &con->request;

	for (unsigned int i = 0; i < BATCH; i++) {
		ssize_t n;

		/* Without a buffer, the driver's next kick calls rx_run() again */
		con->input = virtqueue_pop(vq, req) > 0;
		if (!con->input)
			break;
		if (!req->in.nr) {
			virtio_device_broken(&con->dev, "an input buffer that can't be written");
			con->input = false;
			break;
		}
		n = readv(con->master, req->in.iov, req->in.nr);
		if (n <= 0) {
			virtqueue_unpop(vq, 1);
			break;
		}
		if (!i)
			check_size(con);
		virtqueue_push(vq, req->head, n);
	}
	virtqueue_notify(vq);
}

static int on_pty(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct console *con = data;

	if (revents & EPOLLIN)
		rx_run(con);
	if (revents & EPOLLOUT)
		flush(con);
	watch(con);
	return 0;
}

/* The device */

static void console_kick(struct virtio_device *dev, struct virtqueue *vq)
{
	struct console *con = to_console(dev);

	if (vq->index == TX) {
		tx_run(con);
		return;
	}
	/* Not in console_start(): the driver still waits for the answer to its DRIVER_OK */
	if (con->starts)
		tell_size(con);
	con->starts = false;
	rx_run(con);
	watch(con);
}

/* A driver that was taken over knows the size of its last terminal */
static int console_start(struct virtio_device *dev)
{
	to_console(dev)->starts = !dev->port->resuming;
	return 0;
}

/* The backlog stays, so that people can read the guest's last output */
static void console_reset(struct virtio_device *dev)
{
	struct console *con = to_console(dev);

	con->config.cols = 0;
	con->config.rows = 0;
	con->input = false;
	con->starts = false;
	con->had_input = false;
	watch(con);
}

static void console_destroy(struct virtio_device *dev)
{
	struct console *con = to_console(dev);

	sd_event_source_disable_unref(con->touched);
	sd_event_source_disable_unref(con->source);
	close(con->slave);
	close(con->master);
	free(con);
}

static const struct virtio_device_ops console_ops = {
	.name		= "console",
	.device_id	= VIRTIO_ID_CONSOLE,
	.pauses		= true,
	.start		= console_start,
	.reset		= console_reset,
	.kick		= console_kick,
	.destroy	= console_destroy,
};

/*
 * The pty is raw from the start: with ECHO, a default of ttys, the guest's output would come back
 * as its input.
 */
static int open_pty(struct console *con)
{
	const struct winsize size = { .ws_col = COLUMNS, .ws_row = ROWS };
	struct termios termios;
	int ret;

	con->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (con->master < 0)
		return -errno;
	if (unlockpt(con->master))
		goto close_master;
	con->slave = ioctl(con->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (con->slave < 0)
		goto close_master;

	if (tcgetattr(con->slave, &termios))
		goto close_slave;
	cfmakeraw(&termios);
	if (tcsetattr(con->slave, TCSANOW, &termios) || ioctl(con->slave, TIOCSWINSZ, &size))
		goto close_slave;
	return 0;

close_slave:
	ret = -errno;
	close(con->slave);
	close(con->master);
	return ret;
close_master:
	ret = -errno;
	close(con->master);
	return ret;
}

int virtio_console_add(struct virtio_making *making,
		       void (*heard)(void *data, const char *text, size_t len), void *data,
		       char **path)
{
	struct console *con = calloc(1, sizeof(*con));
	char name[32];	/* "/dev/pts/N" */
	int ret;

	if (!con)
		return making_say(making, -ENOMEM, "cannot make the console: out of memory");
	ret = open_pty(con);
	if (ret < 0) {
		making_say(making, ret, "cannot make a pty for the console: %s", strerror(-ret));
		goto free_con;
	}
	ret = -ptsname_r(con->master, name, sizeof(name));
	if (ret < 0) {
		making_say(making, ret, "cannot get the name of the console's pty: %s",
			   strerror(-ret));
		goto close_pty;
	}
	ret = sd_event_add_io(virtio_bus_event(making->bus), &con->source, con->master, 0, on_pty,
			      con);
	if (ret < 0) {
		making_say(making, ret, "cannot watch the console's pty: %s", strerror(-ret));
		goto close_pty;
	}
	ret = sd_event_add_inotify(virtio_bus_event(making->bus), &con->touched, name, IN_ATTRIB,
				   on_touched, con);
	if (ret < 0)
		log_warning("a new size of the console's window reaches the guest with the next key only: cannot watch %s: %s",
			    name, strerror(-ret));

	con->heard = heard;
	con->data = data;
	con->dev.ops = &console_ops;
	con->dev.features = 1ULL << VIRTIO_CONSOLE_F_SIZE;
	con->dev.config = &con->config;
	con->dev.config_size = sizeof(con->config);
	con->dev.nr_queues = NR_QUEUES;
	con->dev.queue[RX].max_size = QUEUE_SIZE;
	con->dev.queue[TX].max_size = QUEUE_SIZE;

	*path = strdup(name);
	if (!*path) {
		ret = making_say(making, -ENOMEM, "cannot make the console: out of memory");
		goto unref_source;
	}
	ret = virtio_device_add(making, &con->dev);
	if (ret < 0)
		goto free_path;
	return 0;

free_path:
	free(*path);
	*path = NULL;
unref_source:
	sd_event_source_disable_unref(con->touched);
	sd_event_source_disable_unref(con->source);
close_pty:
	close(con->slave);
	close(con->master);
free_con:
	free(con);
	return ret;
}
