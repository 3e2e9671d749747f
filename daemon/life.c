// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a guest: see life.h.
 *
 *	life_make	kernel, initrd and devices, then CPUs, memory, /run/sigma/NAME, log, bus
 *	life_start	kernel into memory, SIGMA_START
 *	life_take_over	instead of both, when another sigmad died and the guest did not
 *	event loop	the guest's messages go to the virtio bus; a change of its state is
 *			acted on: power-off ends the loop, reboot starts it again, after a panic it
 *			is kept for people to look at, or ended where systemd starts it again
 *	life_end	the reverse of life_make
 *
 * Messages are only read while the ring to the guest has room for the answer, so a
 * guest that doesn't take its answers is not asked for more requests: none is lost, and
 * nothing is queued here.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "../common/cpus.h"
#include "../common/guard.h"
#include "../common/gueststate.h"
#include "../common/log.h"
#include "../common/rundir.h"
#include "boot.h"
#include "bus.h"
#include "channels.h"
#include "devices.h"
#include "journal.h"
#include "klog.h"
#include "life.h"

#define ALWAYS	EPOLLPRI	/* watched for in any case: the state changed */

/* Far from where the sum with the clock overflows: a year */
#define TIMEOUT_USEC_MAX	(365ULL * 24 * 3600 * 1000000)

/* Times that CPUs are chosen anew because others took the first choice meanwhile */
#define CHOICES_MAX		8

/* What the guest leaves behind */

/* The file has it in one piece; the journal has what came over the ring already */
static void write_klog(struct life *life, const char *text, size_t size)
{
	const char *rest = guestlog_rest(life->log, text, size);

	guestlog_write(life->log, text, size);
	journal_write(JOURNAL_KERNEL, "\n", 1);
	journal_write(JOURNAL_KERNEL, rest, text + size - rest);
}

static void save_klog(struct life *life, const char *why)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int error;

	if (!out) {
		log_warning("cannot save the guest's kernel log: %s", strerror(errno));
		return;
	}
	fprintf(out, "--- %s; kernel log from its memory ---\n", why);
	error = klog_read(&life->memory, out);
	if (fclose(out))
		error = -errno;
	if (error)
		log_warning("the guest's kernel log was not found in its memory: %s",
			    strerror(-error));
	else
		write_klog(life, text, size);
	free(text);
}

/* The log as complete as it can be, before the guest's memory or its rings go away */
static void save_log(struct life *life)
{
	guestlog_drain(life->log);
	if (life->guest.info.state == SIGMA_STATE_PANICKED)
		save_klog(life, "panic");
	else if (life->guest.info.state == SIGMA_STATE_CONTAINED)
		save_klog(life, "contained by its guard");
	else if (life->guest.info.state != SIGMA_STATE_CREATED &&
		 !guest_driver_seen(&life->guest))
		save_klog(life, "ended before its driver was up");
}

static void tell_kept(struct life *life)
{
	if (life->service)
		return;
	log_info("it is kept as it is: 'sigmactl log %s' shows its last words, 'sigmactl stop %s' gives its CPUs and memory back",
		 life->guest.name, life->guest.name);
}

/* Is it kept for people to look at? */
static bool is_kept(const struct life *life)
{
	return life->guest.info.state == SIGMA_STATE_PANICKED ||
	       life->guest.info.state == SIGMA_STATE_CONTAINED;
}

static void tell_panic(struct life *life)
{
	char text[GUEST_PANIC_MAX];

	guest_panic(&life->guest, text);
	log_warning("the guest panicked: %s", text[0] ? text : "(no reason given)");
	tell_kept(life);
}

/* Only the host's kernel knows what the guest did */
static void tell_violation(struct life *life)
{
	char path[sizeof("/sys/class/sigma//violation") + SIGMA_NAME_MAX], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/sigma/%s/violation", life->guest.name);
	file = fopen(path, "re");
	if (!file)
		log_warning("the guard stopped the guest; %s: %m, see dmesg", path);
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		log_warning("the guard stopped the guest: %s", line);
	}
	if (file)
		fclose(file);
	tell_kept(life);
}

/* Its state */

static void leave(struct life *life, int status)
{
	/* A success must not look as if it had never been started */
	if (status == EXIT_SUCCESS)
		boot_ready(life);
	sd_notify(0, "STOPPING=1");
	bus_linger(life->bus);
	sd_event_exit(life->event, status);
}

static void restart(struct life *life)
{
	log_info("the guest restarts");
	guestlog_drain(life->log);
	if (guest_stop(&life->guest)) {
		leave(life, EXIT_FAILURE);
		return;
	}
	virtio_bus_reset(life->devices);
	/* Anew from the files: a guest may have been given another kernel meanwhile */
	if (load_open(&life->load, life->config) || life_start(life))
		leave(life, EXIT_FAILURE);
}

/* Who asked for its end doesn't want it started again */
static void leave_failed(struct life *life)
{
	leave(life, life->ending ? EXIT_FAILURE : LIFE_GUEST_FAILED);
}

/* It panicked, or its guard stopped it */
static void on_failure(struct life *life)
{
	save_log(life);
	if (life->ending || life->service)
		leave_failed(life);
}

void life_fail(struct life *life)
{
	guestlog_drain(life->log);
	if (guest_driver_seen(&life->guest))
		save_klog(life, "it hangs");
	guest_stop(&life->guest);
	leave_failed(life);
}

static int on_hang(sd_event_source *source, uint64_t usec, void *data)
{
	struct life *life = data;

	log_warning("the guest's heartbeat has not come back and it is stopped");
	life_fail(life);
	return 0;
}

static void watch_hang(struct life *life)
{
	life->hang = sd_event_source_disable_unref(life->hang);
	if (!life->service || life->guest.info.state != SIGMA_STATE_UNRESPONSIVE)
		return;
	/* So that the log in its memory tells where it hangs, should it not come back */
	guest_nmi(&life->guest);
	if (life->hang_timeout == UINT64_MAX)
		return;
	if (sd_event_add_time_relative(life->event, &life->hang, CLOCK_MONOTONIC,
				       life->hang_timeout, 0, on_hang, life) < 0)
		log_warning("no timer: a guest that hangs is not started again");
}

static void tell_state(struct life *life)
{
	bus_state_changed(life->bus);
	sd_notifyf(0, "STATUS=" GUEST_STATUS, guest_state_name(life->guest.info.state));
	boot_watch(life);
}

static void on_state(struct life *life)
{
	if (guest_update(&life->guest)) {
		leave(life, EXIT_FAILURE);
		return;
	}
	tell_state(life);
	watch_hang(life);

	switch (life->guest.info.state) {
	case SIGMA_STATE_RUNNING:
		log_info("the guest is running");
		break;
	case SIGMA_STATE_UNRESPONSIVE:
		log_warning("the guest's heartbeat stands still: it hangs, or has its interrupts off; 'sigmactl kill %s' takes everything back",
			    life->guest.name);
		break;
	case SIGMA_STATE_POWEROFF:
		log_info("the guest switched itself off");
		leave(life, EXIT_SUCCESS);
		break;
	case SIGMA_STATE_REBOOT:
		if (life->ending)
			leave(life, EXIT_SUCCESS);
		else
			restart(life);
		break;
	case SIGMA_STATE_PANICKED:
		tell_panic(life);
		on_failure(life);
		break;
	case SIGMA_STATE_CONTAINED:
		tell_violation(life);
		on_failure(life);
		break;
	case SIGMA_STATE_STOPPED:
		log_warning("the guest was stopped by somebody else");
		leave(life, EXIT_FAILURE);
		break;
	case SIGMA_STATE_LOST:
		log_error(-EIO, "a CPU of the guest did not answer INIT and may still run: its CPUs and memory stay lost to the host until the machine is restarted");
		leave(life, EXIT_FAILURE);
		break;
	default:
		break;
	}
}

/* Its messages */

static void receive(struct life *life)
{
	void *msg = virtio_bus_request(life->devices);
	int len;

	if (!guest_has_room(&life->guest) && guest_runs(&life->guest)) {
		sd_event_source_set_io_events(life->messages, ALWAYS | EPOLLOUT);
		return;
	}
	sd_event_source_set_io_events(life->messages, ALWAYS | EPOLLIN);

	len = guest_receive(&life->guest, msg);
	if (len > 0) {
		virtio_bus_message(life->devices, msg, len);
	} else if (len != -EAGAIN) {
		if (len != -EPIPE)
			log_warning("no more control messages from the guest until it is restarted: %s",
				    len == -EPROTO ? "it broke the ring" : strerror(-len));
		sd_event_source_set_io_events(life->messages, ALWAYS);
	}
}

static int on_guest(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct life *life = data;

	if (revents & (EPOLLERR | EPOLLHUP)) {
		log_error(-ENODEV, "the guest was destroyed by somebody else");
		leave(life, EXIT_FAILURE);
		return 0;
	}
	if (revents & EPOLLPRI)
		on_state(life);
	if (revents & (EPOLLIN | EPOLLOUT))
		receive(life);
	return 0;
}

static int watch_log(struct life *life)
{
	int error = guest_bind_kick(&life->guest, SIGMA_DOORBELL_LOG,
				    guestlog_doorbell(life->log));

	return error ? log_error(error, "cannot watch the guest's kernel log: %s",
				 strerror(-error)) : 0;
}

int life_start(struct life *life)
{
	struct sigma_start start;
	struct timespec now;
	int error;

	sd_notify(0, "STATUS=Loading its kernel.");
	error = load_guest(&life->load, life->config, &life->guest.info, &life->memory, &start);
	load_close(&life->load);
	if (error)
		return error;

	/* Doorbells that were bound to the last run went with SIGMA_STOP */
	error = watch_log(life);
	if (error)
		return error;
	guestlog_restart(life->log);

	error = guest_start(&life->guest, &start);
	if (!error)
		error = guest_update(&life->guest);
	if (error)
		return error;
	clock_gettime(CLOCK_REALTIME, &now);
	life->state->started_usec = now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
	tell_state(life);
	return sd_event_source_set_io_events(life->messages, ALWAYS | EPOLLIN);
}

/* Its end */

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct life *life = data;

	log_warning("the guest did not switch itself off in time and is stopped");
	life_kill(life);
	return 0;
}

void life_power_off(struct life *life, uint64_t timeout_usec)
{
	int error;

	life->ending = true;
	if (!guest_runs(&life->guest)) {
		leave(life, is_kept(life) ? EXIT_FAILURE : EXIT_SUCCESS);
		return;
	}

	error = guest_ask(&life->guest, SIGMA_POWER_OFF);
	if (error) {
		log_warning("the guest cannot be asked to switch itself off (%s) and is stopped",
			    strerror(-error));
		life_kill(life);
		return;
	}
	log_info("asked the guest to switch itself off");

	life->timer = sd_event_source_disable_unref(life->timer);
	if (timeout_usec == UINT64_MAX)
		return;
	if (timeout_usec > TIMEOUT_USEC_MAX)
		timeout_usec = TIMEOUT_USEC_MAX;
	error = sd_event_add_time_relative(life->event, &life->timer, CLOCK_MONOTONIC,
					   timeout_usec, 0, on_timeout, life);
	if (error < 0) {
		log_warning("no timer (%s): the guest is stopped at once", strerror(-error));
		life_kill(life);
	}
}

int life_reboot(struct life *life)
{
	return guest_runs(&life->guest) ? guest_ask(&life->guest, SIGMA_POWER_REBOOT) : -EPIPE;
}

void life_kill(struct life *life)
{
	int error;

	life->ending = true;
	error = guest_stop(&life->guest);
	/* Clients learn how it ended, before the connection does */
	if (!guest_update(&life->guest))
		tell_state(life);
	leave(life, error ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Made and given back */

static int share_console(const struct life *life)
{
	char link[RUNDIR_PATH_MAX];

	rundir_path(link, life->config->name, "console");
	if (symlink(life->console, link))
		return log_error(-errno, "cannot make %s: %s", link, strerror(errno));
	rundir_share(link, 0660);	/* follows the link: the pty itself */
	return 0;
}

/* "FILE:LINE: " for what the kernel had to say of CPUs or memory */
static int tell_refusal(const struct guest_config *config, int error, const char *why)
{
	unsigned int line = config->cpus_line;
	const char *key = "CPUs=";

	if (error == -ENOMEM) {
		line = config->memory_line;
		key = "Memory=";
	} else if (error == -EOPNOTSUPP) {
		line = config->guard_line;
		key = "Guard=";
	}
	if (line)
		return log_error(error, "%s:%u: %s: %s", config->file, line, key, why);
	return log_error(error, "%s: the guest cannot be made: %s", config->file, why);
}

/* CPUs, where the file doesn't name them; how many, or a reported -errno */
static int choose(const struct guest_config *config, uint32_t chosen[SIGMA_CPUS_MAX])
{
	char where[PATH_MAX + 16];
	cpu_set_t of_kind;
	int error;

	if (config->cpu_kind == CPU_KIND_ANY)
		return cpus_choose(CPUS_SYSFS, NULL, config->nr_cpus, config->split_cores, chosen);
	snprintf(where, sizeof(where), "%s:%u", config->file, config->cpus_line);
	error = cpus_of_kind(DEVICES_SYSFS, config->cpu_kind, where, &of_kind);
	if (error)
		return error;
	return cpus_choose(CPUS_SYSFS, &of_kind, config->nr_cpus, config->split_cores, chosen);
}

/* Between the choice of CPUs and their lending somebody else may lend the same ones */
static int take(struct life *life)
{
	const struct guest_config *config = life->config;
	char why[sizeof(((struct sigma_create *)0)->error)];
	uint32_t chosen[SIGMA_CPUS_MAX];
	int nr, error;

	for (unsigned int i = 0; i < CHOICES_MAX; i++) {
		const uint32_t *cpus = config->cpus_given ? config->cpus : chosen;

		nr = config->cpus_given ? (int)config->nr_cpus : choose(config, chosen);
		if (nr < 0)
			return nr;
		sd_notifyf(0, "STATUS=Taking %d CPU%s and %llu MiB of memory from the host.", nr,
			   nr == 1 ? "" : "s", (unsigned long long)config->memory >> 20);
		error = guest_create(&life->guest, config, cpus, nr, why, sizeof(why));
		if (error != -EBUSY || config->cpus_given)
			break;
	}
	if (error == -ENOMEM || error == -EBUSY || error == -EINVAL || error == -EOPNOTSUPP)
		return tell_refusal(config, error, why);
	return error;
}

/* What people and programs see of it, in its folder */
static int show(struct life *life)
{
	char path[RUNDIR_PATH_MAX];
	int error;

	rundir_path(path, life->config->name, "bus");
	error = bus_open(&life->bus, life, path);
	if (error)
		return error;
	error = share_console(life);
	if (error)
		goto close_bus;
	rundir_path(path, life->config->name, "log");
	error = guestlog_open(&life->log, life->event, life->guest.iosc, path,
			      &life->state->log_tail);
	if (error)
		goto close_bus;
	return 0;

close_bus:
	bus_close(life->bus);
	return error;
}

static int watch(struct life *life)
{
	int error = sd_event_add_io(life->event, &life->messages, life->guest.fd, ALWAYS,
				    on_guest, life);

	return error < 0 ? log_error(error, "cannot watch the guest: %s", strerror(-error)) : 0;
}

int life_make(struct life *life)
{
	const struct guest_config *config = life->config;
	int error;

	error = guest_open(&life->guest, config->name);
	if (error)
		return error;
	error = load_open(&life->load, config);
	if (error)
		goto close_guest;
	error = state_make(&life->state, &life->state_fd, config);
	if (error)
		goto close_load;
	error = devices_make(life);
	if (error)
		goto free_devices;
	error = take(life);
	if (error)
		goto free_devices;
	guest_warn_of_guard(&life->guest, config->guard, GUARD_SYSFS);
	if (config->split_cores)
		cpus_warn_of_split(CPUS_SYSFS, config->file);
	error = channels_share(config);
	if (error)
		goto destroy_guest;
	error = memory_open(&life->memory, life->guest.fd, &life->guest.info);
	if (error)
		goto destroy_guest;
	error = rundir_make(config->name);
	if (error)
		goto close_memory;
	error = state_show(life->state_fd, config->name);
	if (error)
		goto remove_rundir;
	error = show(life);
	if (error)
		goto remove_rundir;
	error = watch(life);
	if (error)
		goto hide;
	return 0;

hide:
	guestlog_close(life->log);
	bus_close(life->bus);
remove_rundir:
	rundir_remove(config->name);
close_memory:
	memory_close(&life->memory);
destroy_guest:
	guest_destroy(&life->guest);
free_devices:
	devices_free(life);
	state_close(life->state, life->state_fd);
close_load:
	load_close(&life->load);
close_guest:
	guest_close(&life->guest);
	return error;
}

int life_take_over(struct life *life)
{
	int error;

	error = guest_attach(&life->guest, life->config->name);
	if (error)
		return error;
	/* It had made the guest and not started it yet */
	if (!life->state->started_usec)
		error = load_open(&life->load, life->config);
	if (!error)
		error = devices_take_over(life);
	if (error)
		return error;
	error = memory_open(&life->memory, life->guest.fd, &life->guest.info);
	if (error)
		return error;
	rundir_take(life->config->name);
	error = show(life);
	if (error)
		return error;
	error = watch_log(life);
	if (error)
		return error;
	error = watch(life);
	if (error)
		return error;
	virtio_bus_resume(life->devices);
	guestlog_drain(life->log);
	log_info("took over the guest, which a sigmad that died had left");
	error = sd_event_source_set_io_events(life->messages, ALWAYS | EPOLLIN);
	/* It may have ended, or failed, while nobody watched */
	if (error >= 0)
		on_state(life);
	return error;
}

int life_end(struct life *life)
{
	int error;

	/* Nothing may touch the guest's memory once it is unmapped: the guest first */
	guest_stop(&life->guest);
	if (!is_kept(life))
		save_log(life);
	sd_event_source_disable_unref(life->timer);
	sd_event_source_disable_unref(life->hang);
	boot_end(life);
	devices_free(life);
	sd_event_source_disable_unref(life->messages);
	guestlog_close(life->log);
	memory_close(&life->memory);
	/* While the name is still ours; a guest that never ran has nothing to tell */
	if (life->state->started_usec)
		rundir_retire(life->config->name);
	else
		rundir_remove(life->config->name);
	error = guest_destroy(&life->guest);
	guest_close(&life->guest);
	state_close(life->state, life->state_fd);
	/* Last, since clients take the end of the connection for the end of all this */
	bus_close(life->bus);
	return error;
}
