// SPDX-License-Identifier: GPL-2.0
/*
 * The supervisor of a guest: see supervisor.h.
 *
 * Control messages are only read while the ring to the guest has room for the answer. If a guest
 * does not read its answers, its requests wait in its own ring: none is lost, and none is queued
 * here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "../common/assert.h"
#include "../common/gueststate.h"
#include "../common/log.h"
#include "failure.h"
#include "savelog.h"
#include "start.h"
#include "supervisor.h"
#include "takeover.h"
#include "virtio/bus.h"

#define ALWAYS	EPOLLPRI	/* the guest's state changed */

/* A year: the sum with the clock cannot overflow */
#define TIMEOUT_USEC_MAX	(365ULL * 24 * 3600 * 1000000)

/* How often a guest that is to end may fall asleep instead; each time it is woken */
#define WAKES_TO_END	3

/* Is it kept for people to look at? */
static bool is_kept(const struct guest *guest)
{
	return guest->info.state == SIGMA_STATE_PANICKED ||
	       guest->info.state == SIGMA_STATE_CONTAINED;
}

/* Changes of the guest's state */

static void end_loop(struct supervisor *supervisor, int status)
{
	/* systemd takes a service that ends before READY=1 for one that failed to start */
	if (status == EXIT_SUCCESS)
		boot_ready(&supervisor->boot);
	observers_ending(&supervisor->machine.observers);
	sd_event_exit(supervisor->machine.event, status);
}

#define STATE(name)	(1U << SIGMA_STATE_##name)
#define RUNS		(STATE(BOOTING) | STATE(RUNNING) | STATE(UNRESPONSIVE))
#define ENDED		(STATE(POWEROFF) | STATE(REBOOT) | STATE(PANICKED) | STATE(STOPPED) | \
			 STATE(LOST) | STATE(CONTAINED))

/*
 * Can a guest go from state @from to state @to? States between the two may have been missed. Only
 * run() starts a guest that has ended.
 */
static bool may_follow(uint32_t from, uint32_t to)
{
	const uint32_t was = 1U << from, is = 1U << to;

	if (was == is)
		return true;
	if (was & RUNS)
		return is & (STATE(RUNNING) | STATE(UNRESPONSIVE) | STATE(ASLEEP) | ENDED);
	if (was == STATE(ASLEEP))
		return is & (RUNS | ENDED);
	return is & (STATE(STOPPED) | STATE(LOST));
}

static void announce_state(struct supervisor *supervisor)
{
	uint32_t state = supervisor->machine.guest.info.state;

	sigma_assert(may_follow(supervisor->state, state));
	supervisor->state = state;
	observers_state(&supervisor->machine.observers, state);
	boot_watch(&supervisor->boot, state, supervisor->waking);
}

static int run(struct supervisor *supervisor)
{
	int error = start_run(&supervisor->machine);

	if (error)
		return error;
	supervisor->state = SIGMA_STATE_BOOTING;
	supervisor->waking = false;
	announce_state(supervisor);
	wakeon_watch(&supervisor->wakeon);
	return sd_event_source_set_io_events(supervisor->messages, ALWAYS | EPOLLIN);
}

static void restart(struct supervisor *supervisor)
{
	struct machine *machine = &supervisor->machine;

	log_info("the guest restarts");
	guestlog_drain(machine->log);
	/* First: the next sigmad must not take the guest for one that somebody else has stopped */
	machine->state->restarting = true;
	if (guest_stop(&machine->guest)) {
		end_loop(supervisor, EXIT_FAILURE);
		return;
	}
	virtio_bus_reset(machine->devices);
	/* Read the files again: the kernel may have been replaced since the last start */
	if (load_open(&machine->load, machine->config) || run(supervisor))
		end_loop(supervisor, EXIT_FAILURE);
}

/* EXIT_FAILURE when the end was asked for: systemd must not start the guest again then */
static void end_loop_failed(struct supervisor *supervisor)
{
	end_loop(supervisor, supervisor->ending ? EXIT_FAILURE : SUPERVISOR_GUEST_FAILED);
}

/* The guest panicked, or the guard stopped it */
static void on_failure(struct supervisor *supervisor)
{
	failure_log(&supervisor->machine.guest, !supervisor->options.service);
	savelog(&supervisor->machine);
	virtio_bus_hang_up(supervisor->machine.devices);
	if (supervisor->ending || supervisor->options.service)
		end_loop_failed(supervisor);
}

/* Stop a guest that hangs, and end the event loop */
static void fail(void *data)
{
	struct supervisor *supervisor = data;
	struct machine *machine = &supervisor->machine;

	guestlog_drain(machine->log);
	if (guest_driver_seen(&machine->guest))
		savelog_memory(machine, "it hangs");
	guest_stop(&machine->guest);
	end_loop_failed(supervisor);
}

/* Its memory shows that the guest panicked while it booted. The change of its state does the rest */
static void panicked(void *data, const char *text)
{
	struct supervisor *supervisor = data;

	guest_panic_found(&supervisor->machine.guest, text);
}

/* After the request the guest ends, or the timer does: see supervisor_power_off() */
static void ask_to_end(struct supervisor *supervisor)
{
	int error = guest_ask(&supervisor->machine.guest, SIGMA_POWER_OFF);

	if (error) {
		log_warning("the guest cannot be asked to switch itself off (%s) and is stopped",
			    strerror(-error));
		supervisor_kill(supervisor);
	} else {
		log_info("asked the guest to switch itself off");
	}
}

static void on_running(struct supervisor *supervisor)
{
	log_info("the guest is running");
	/* It could not be asked before: its processes were not there yet */
	if (supervisor->waking && supervisor->ending)
		ask_to_end(supervisor);
	supervisor->waking = false;
}

static void wake_to_end(struct supervisor *supervisor);

static void on_asleep(struct supervisor *supervisor, uint32_t before)
{
	char why[REASON_TEXT_MAX];

	if (before != SIGMA_STATE_ASLEEP)
		supervisor->failure_told = false;
	if (supervisor->ending) {
		wake_to_end(supervisor);
	} else if (before == SIGMA_STATE_ASLEEP && !supervisor->failure_told &&
		   guest_wake_failure(&supervisor->machine.guest, why)) {
		log_warning("the machine is awake, but the guest sleeps on: %s; 'sigmactl wake %s' tries again",
			    why, supervisor->machine.guest.name);
		supervisor->failure_told = true;
	}
}

/* @news: tell observers, also if they were told of this state */
static void act_on_state(struct supervisor *supervisor, bool news)
{
	struct guest *guest = &supervisor->machine.guest;
	const uint32_t before = supervisor->state;

	if (guest_update(guest)) {
		end_loop(supervisor, EXIT_FAILURE);
		return;
	}
	/* sigma.ko wakes it, too, after the machine's sleep */
	if (before == SIGMA_STATE_ASLEEP && guest->info.state == SIGMA_STATE_BOOTING)
		supervisor->waking = true;
	/* That a doorbell of one that sleeps was rung is none */
	if (news || guest->info.state != SIGMA_STATE_ASLEEP || before != SIGMA_STATE_ASLEEP)
		announce_state(supervisor);
	hang_watch(&supervisor->hang);
	sleep_watch(&supervisor->sleep, before, supervisor->ending);
	save_watch(&supervisor->save);

	switch (guest->info.state) {
	case SIGMA_STATE_RUNNING:
		on_running(supervisor);
		break;
	case SIGMA_STATE_UNRESPONSIVE:
		log_warning("the guest's heartbeat stands still: the guest hangs, or has its interrupts off; 'sigmactl kill %s' takes everything back",
			    guest->name);
		break;
	case SIGMA_STATE_ASLEEP:
		on_asleep(supervisor, before);
		break;
	case SIGMA_STATE_POWEROFF:
		log_info("the guest switched itself off");
		end_loop(supervisor, EXIT_SUCCESS);
		break;
	case SIGMA_STATE_REBOOT:
		if (supervisor->ending)
			end_loop(supervisor, EXIT_SUCCESS);
		else
			restart(supervisor);
		break;
	case SIGMA_STATE_PANICKED:
	case SIGMA_STATE_CONTAINED:
		on_failure(supervisor);
		break;
	case SIGMA_STATE_STOPPED:
		log_warning("the guest was stopped by somebody else");
		end_loop(supervisor, EXIT_FAILURE);
		break;
	case SIGMA_STATE_LOST:
		log_error(-EIO, "a CPU of the guest did not answer INIT and may still run: its CPUs and memory stay lost to the host until the machine is restarted");
		end_loop(supervisor, EXIT_FAILURE);
		break;
	default:
		break;
	}
	wakeon_watch(&supervisor->wakeon);
}

static void on_state(struct supervisor *supervisor)
{
	act_on_state(supervisor, false);
}

/* The guest's control messages */

static void receive(struct supervisor *supervisor)
{
	struct machine *machine = &supervisor->machine;
	void *msg = virtio_bus_request(machine->devices);
	int len;

	if (!guest_has_room(&machine->guest) && guest_lives(&machine->guest)) {
		sd_event_source_set_io_events(supervisor->messages, ALWAYS | EPOLLOUT);
		return;
	}
	sd_event_source_set_io_events(supervisor->messages, ALWAYS | EPOLLIN);

	len = guest_receive(&machine->guest, msg);
	if (len > 0) {
		virtio_bus_message(machine->devices, msg, len);
	} else if (len != -EAGAIN) {
		if (len != -EPIPE)
			log_warning("no more control messages from the guest until it is restarted: %s",
				    len == -EPROTO ? "it broke the ring" : strerror(-len));
		sd_event_source_set_io_events(supervisor->messages, ALWAYS);
	}
}

static int on_guest(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct supervisor *supervisor = data;

	if (revents & (EPOLLERR | EPOLLHUP)) {
		log_error(-ENODEV, "the guest was destroyed by somebody else");
		end_loop(supervisor, EXIT_FAILURE);
		return 0;
	}
	if (revents & EPOLLPRI)
		on_state(supervisor);
	if (revents & (EPOLLIN | EPOLLOUT) && !save_pauses(&supervisor->save))
		receive(supervisor);
	return 0;
}

/* Requests of clients and signals */

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	log_warning("the guest did not switch itself off in time and is stopped");
	supervisor_kill(data);
	return 0;
}

static void on_woken(void *data, int error, const char *why)
{
	struct supervisor *supervisor = data;

	if (!error) {
		log_info("the guest wakes up");
		if (supervisor->machine.restored)
			wakeon_hold(&supervisor->wakeon, false);
		/* It may sleep again before the event loop looks, and has its CPUs then */
		if (supervisor->state == SIGMA_STATE_ASLEEP)
			supervisor->state = SIGMA_STATE_BOOTING;
		return;
	}
	supervisor->waking = false;
	if (!supervisor->ending || supervisor->machine.guest.info.state != SIGMA_STATE_ASLEEP)
		return;
	log_warning("the guest is asleep, cannot be woken to switch itself off, and is stopped: %s", why);
	supervisor_kill(supervisor);
}

static int wake(struct supervisor *supervisor, wake_done done, void *data)
{
	int error = wake_begin(&supervisor->wake, done, data);

	if (!error)
		supervisor->waking = true;
	return error;
}

int supervisor_wake(struct supervisor *supervisor, wake_done done, void *data,
		    char why[REASON_TEXT_MAX])
{
	const struct guest *guest = &supervisor->machine.guest;
	int error;

	/* It may have fallen asleep a moment ago, and whoever asked it to is answered first */
	if (guest_update(&supervisor->machine.guest) || guest->info.state != supervisor->state)
		on_state(supervisor);
	if (guest->info.state != SIGMA_STATE_ASLEEP) {
		snprintf(why, REASON_TEXT_MAX, "it is %s, not asleep", guest_state_name(guest->info.state));
		return -EPIPE;
	}
	if (!save_is_idle(&supervisor->save)) {
		snprintf(why, REASON_TEXT_MAX, "it is being saved");
		return -EBUSY;
	}
	error = wake(supervisor, done, data);
	if (error)
		snprintf(why, REASON_TEXT_MAX, "%s", error == -EALREADY ? "it is being woken already" :
			 strerror(-error));
	return error;
}

/* It is tried again later on, since what shall wake it is still there */
static void on_not_woken(struct supervisor *supervisor, const char *why)
{
	if (!supervisor->failure_told)
		log_warning("the guest cannot be woken now: %s; it will be as soon as it can", why);
	supervisor->failure_told = true;
	wakeon_failed(&supervisor->wakeon);
}

static void on_woken_by(void *data, int error, const char *why)
{
	if (error)
		on_not_woken(data, why);
}

/* One that is to end is woken anyway */
static void wake_for(void *owner, const char *what)
{
	struct supervisor *supervisor = owner;
	char why[REASON_TEXT_MAX];
	int error;

	if (supervisor->ending)
		return;
	error = supervisor_wake(supervisor, on_woken_by, supervisor, why);
	if (!error)
		log_info("%s wakes the guest", what);
	else if (error == -EBUSY || error == -EALREADY)
		wakeon_failed(&supervisor->wakeon);	/* it is being saved; or woken, which may fail */
	else if (error != -EPIPE)
		on_not_woken(supervisor, why);
}

/* Its processes are to end in order, which they can only do awake */
static void wake_to_end(struct supervisor *supervisor)
{
	int error;

	if (!save_is_idle(&supervisor->save)) {
		save_release(&supervisor->save);	/* on_saved() goes on */
		return;
	}
	if (supervisor->wakes_to_end++ == WAKES_TO_END) {
		log_warning("the guest fell asleep again instead of switching itself off, and is stopped");
		supervisor_kill(supervisor);
		return;
	}
	error = wake(supervisor, NULL, NULL);
	if (!error || error == -EALREADY)
		return;
	log_warning("the guest is asleep, cannot be woken to switch itself off, and is stopped: %s",
		    strerror(-error));
	supervisor_kill(supervisor);
}

void supervisor_power_off(struct supervisor *supervisor, uint64_t timeout_usec)
{
	struct guest *guest = &supervisor->machine.guest;
	int error;

	supervisor->ending = true;
	if (guest->info.state == SIGMA_STATE_ASLEEP) {
		wake_to_end(supervisor);
	} else if (!guest_runs(guest)) {
		end_loop(supervisor, is_kept(guest) ? EXIT_FAILURE : EXIT_SUCCESS);
		return;
	} else if (!supervisor->waking) {
		ask_to_end(supervisor);
	}
	if (!guest_lives(guest))
		return;

	supervisor->power_off = sd_event_source_disable_unref(supervisor->power_off);
	if (timeout_usec == UINT64_MAX)
		return;
	if (timeout_usec > TIMEOUT_USEC_MAX)
		timeout_usec = TIMEOUT_USEC_MAX;
	error = sd_event_add_time_relative(supervisor->machine.event, &supervisor->power_off,
					   CLOCK_MONOTONIC, timeout_usec, 0, on_timeout,
					   supervisor);
	if (error < 0) {
		log_warning("cannot make a timer (%s): the guest is stopped at once",
			    strerror(-error));
		supervisor_kill(supervisor);
	}
}

void supervisor_interrupt(struct supervisor *supervisor)
{
	if (supervisor->interrupts++) {
		log_warning("second signal: the guest is stopped at once");
		supervisor_kill(supervisor);
	} else {
		supervisor_power_off(supervisor, supervisor->options.stop_timeout);
	}
}

int supervisor_reboot(struct supervisor *supervisor)
{
	struct guest *guest = &supervisor->machine.guest;

	return guest_runs(guest) ? guest_ask(guest, SIGMA_POWER_REBOOT) : -EPIPE;
}

void supervisor_kill(struct supervisor *supervisor)
{
	struct guest *guest = &supervisor->machine.guest;
	int error;

	supervisor->ending = true;
	save_cancel(&supervisor->save);
	error = guest_stop(guest);
	/* Clients learn the final state before their connection ends */
	if (!guest_update(guest))
		announce_state(supervisor);
	end_loop(supervisor, error ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Make, take over, give back */

static void on_awake(void *data, int error)
{
	struct supervisor *supervisor = data;

	sleep_failed(&supervisor->sleep, error);
}

static void on_sleeps(void *data, bool asleep)
{
	struct supervisor *supervisor = data;

	wakeon_sleeps(&supervisor->wakeon, asleep);
}

/* The devices of a guest that was saved, or was not, go on */
static void on_saved(void *data)
{
	struct supervisor *supervisor = data;

	if (supervisor->ending && supervisor->machine.guest.info.state == SIGMA_STATE_ASLEEP)
		wake_to_end(supervisor);
}

void supervisor_init(struct supervisor *supervisor, const struct supervisor_options *options)
{
	static const struct observer_ops ops = { .awake = on_awake, .sleeps = on_sleeps };

	supervisor->options = *options;
	supervisor->boot = (struct boot) {
		.event = supervisor->machine.event, .name = supervisor->machine.guest.name,
		.observers = &supervisor->machine.observers, .timeout = options->boot_timeout,
		.memory = &supervisor->machine.memory, .service = options->service,
		.panicked = panicked, .failed = fail, .data = supervisor,
	};
	supervisor->hang = (struct hang) {
		.event = supervisor->machine.event, .guest = &supervisor->machine.guest,
		.timeout = options->hang_timeout, .service = options->service, .failed = fail,
		.data = supervisor,
	};
	supervisor->calls = (struct calls) { .event = supervisor->machine.event };
	supervisor->sleep = (struct sleep) {
		.event = supervisor->machine.event, .guest = &supervisor->machine.guest,
		.calls = &supervisor->calls,
	};
	supervisor->wake = (struct wake) {
		.guest = &supervisor->machine.guest, .calls = &supervisor->calls,
		.woken = on_woken, .owner = supervisor,
	};
	supervisor->wakeon = (struct wakeon) {
		.machine = &supervisor->machine, .wake = wake_for, .owner = supervisor,
	};
	supervisor->save = (struct save) {
		.machine = &supervisor->machine, .calls = &supervisor->calls,
		.messages = &supervisor->messages, .transient = options->transient,
		.over = on_saved, .owner = supervisor,
	};
	observers_add(&supervisor->machine.observers, &ops, supervisor);
}

static int watch(struct supervisor *supervisor)
{
	struct machine *machine = &supervisor->machine;
	int error = sd_event_add_io(machine->event, &supervisor->messages, machine->guest.fd,
				    ALWAYS, on_guest, supervisor);

	guest_set_suspend(&machine->guest, machine->config->suspend);
	supervisor->state = machine->guest.info.state;
	supervisor->waking = guest_wakes(&machine->guest);
	return error < 0 ? log_error(error, "cannot watch the guest: %s", strerror(-error)) : 0;
}

static int take_over(struct supervisor *supervisor)
{
	struct machine *machine = &supervisor->machine;
	int error = takeover_make(machine);

	if (!error)
		error = watch(supervisor);
	if (!error)
		error = takeover_resume(machine);
	if (error)
		return error;
	error = sd_event_source_set_io_events(supervisor->messages, ALWAYS | EPOLLIN);
	if (error < 0)
		return error;
	/* Whoever restores it wakes it, whatever came, and learns if it wakes */
	if (machine->restored)
		wakeon_hold(&supervisor->wakeon, true);
	/* The guest may have ended or failed while no sigmad watched it */
	if (machine->state->restarting && machine->guest.info.state == SIGMA_STATE_STOPPED)
		restart(supervisor);
	else
		act_on_state(supervisor, true);
	return 0;
}

int supervisor_make(struct supervisor *supervisor)
{
	int error;

	if (supervisor->machine.state)
		return take_over(supervisor);
	error = start_make(&supervisor->machine);
	if (error)
		return error;
	error = watch(supervisor);
	if (error)
		machine_close(&supervisor->machine);
	return error;
}

int supervisor_run(struct supervisor *supervisor)
{
	return supervisor->machine.guest.info.state == SIGMA_STATE_CREATED ? run(supervisor) : 0;
}

int supervisor_end(struct supervisor *supervisor)
{
	struct machine *machine = &supervisor->machine;

	/* Stop the guest first: its devices, log and memory are taken away next */
	guest_stop(&machine->guest);
	if (!is_kept(&machine->guest))
		savelog(machine);
	sd_event_source_disable_unref(supervisor->power_off);
	save_cancel(&supervisor->save);
	calls_end(&supervisor->calls);
	save_end(&supervisor->save);
	wakeon_end(&supervisor->wakeon);
	sleep_end(&supervisor->sleep);
	hang_end(&supervisor->hang);
	boot_end(&supervisor->boot);
	sd_event_source_disable_unref(supervisor->messages);
	return machine_close(machine);
}
