// SPDX-License-Identifier: GPL-2.0
/* The monitor of a qemu-storage-daemon: see monitor.h. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "monitor.h"

#define SECONDS		20
#define LINE_MAX_LEN	8192
#define EVENTS_MAX	64	/* lines that are no answer, before it counts as none */

void monitor_close(struct monitor *monitor)
{
	if (monitor->fd >= 0)
		close(monitor->fd);
	*monitor = (struct monitor){ .fd = -1 };
}

void monitor_open(struct monitor *monitor, int fd)
{
	monitor_close(monitor);
	monitor->fd = fd;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int await(const struct monitor *monitor, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = monitor->fd, .events = POLLIN };
	int64_t left = deadline - now_ms();
	int ret = poll(&poll_fd, 1, left > 0 ? left : 0);

	if (ret < 0)
		return errno == EINTR ? 0 : -errno;
	return ret ? 0 : -ETIMEDOUT;
}

/* A byte at a time, so that nothing of the next line is taken. These are rare and short */
static int read_line(const struct monitor *monitor, char line[LINE_MAX_LEN], int64_t deadline)
{
	size_t len = 0;

	while (len < LINE_MAX_LEN - 1) {
		ssize_t got = recv(monitor->fd, line + len, 1, MSG_DONTWAIT);
		int error;

		if (!got)
			return -EPIPE;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got < 0) {
			error = await(monitor, deadline);
			if (error)
				return error;
		} else if (line[len] == '\n') {
			line[len] = '\0';
			return 0;
		} else {
			len++;
		}
	}
	return -EPROTO;
}

/* What an answer to command number @sent says: 0, -EIO and @why, or -EAGAIN: it is no such answer */
static int judge(const char *line, unsigned int sent, char why[MONITOR_WHY_MAX])
{
	struct json_object *answer = json_tokener_parse(line), *id, *error, *desc, *result;
	int ret = -EAGAIN;

	if (!answer)
		return -EPROTO;
	if (json_object_object_get_ex(answer, "id", &id) &&
	    json_object_get_int64(id) == (int64_t)sent) {
		if (json_object_object_get_ex(answer, "return", &result)) {
			ret = 0;
		} else if (json_object_object_get_ex(answer, "error", &error)) {
			ret = -EIO;
			snprintf(why, MONITOR_WHY_MAX, "%s",
				 json_object_object_get_ex(error, "desc", &desc) ?
				 json_object_get_string(desc) : "no reason was given");
		}
	}
	json_object_put(answer);
	return ret;
}

/* @arguments: JSON, or NULL */
static int command(struct monitor *monitor, const char *name, const char *arguments,
		   int64_t deadline, char why[MONITOR_WHY_MAX])
{
	char line[LINE_MAX_LEN];
	int len, ret;

	monitor->sent++;
	len = snprintf(line, sizeof(line), "{\"execute\": \"%s\", \"id\": %u%s%s}\n", name,
		       monitor->sent, arguments ? ", \"arguments\": " : "", arguments ?: "");
	if (send(monitor->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
		return -EPIPE;
	for (unsigned int i = 0; i < EVENTS_MAX; i++) {
		ret = read_line(monitor, line, deadline) ?: judge(line, monitor->sent, why);
		if (ret != -EAGAIN)
			return ret;
	}
	return -EPROTO;
}

/* The greeting has no id, so command() takes it for an event */
static int greet(struct monitor *monitor, int64_t deadline, char why[MONITOR_WHY_MAX])
{
	int error = monitor->greeted ? 0 :
		command(monitor, "qmp_capabilities", NULL, deadline, why);

	monitor->greeted = monitor->greeted || !error;
	return error;
}

int monitor_resize(struct monitor *monitor, const char *node, uint64_t size,
		   char why[MONITOR_WHY_MAX])
{
	const int64_t deadline = now_ms() + SECONDS * 1000;
	char arguments[128];
	int error;

	if (monitor->fd < 0) {
		snprintf(why, MONITOR_WHY_MAX, "it has not answered before; stop the guest and start it");
		return -EPIPE;
	}
	snprintf(arguments, sizeof(arguments), "{\"node-name\": \"%s\", \"size\": %llu}", node,
		 (unsigned long long)size);
	error = greet(monitor, deadline, why);
	if (!error)
		error = command(monitor, "block_resize", arguments, deadline, why);
	if (!error || error == -EIO)
		return error;
	snprintf(why, MONITOR_WHY_MAX, error == -ETIMEDOUT ? "it did not answer in %u s" :
		 "it did not answer as it should", SECONDS);
	monitor_close(monitor);
	return error;
}
