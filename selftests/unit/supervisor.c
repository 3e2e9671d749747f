// SPDX-License-Identifier: GPL-2.0
/*
 * The supervisor's reactions to what becomes of the guest, and to what people ask for: who is told
 * what, in which order, and how sigmad ends. The supervisor is the real one, with all that it uses,
 * on a simulated host.
 */
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../common/gueststate.h"
#include "../../common/owner.h"
#include "../../common/savefile.h"
#include "../../common/version.h"
#include "../../daemon/restore.h"
#include "../../daemon/supervisor.h"
#include "../../daemon/takeover.h"
#include "capture.h"
#include "tap.h"
#include "host.h"

#define GOES_ON		-1		/* no exit status: the event loop goes on */
#define MSEC		1000ULL
#define SECOND		(1000 * MSEC)
#define PATIENCE	(30 * SECOND)	/* with a timer of a millisecond */
#define FILES_MAX	64

static const char text[] =
	"[Guest]\nKernel=/etc/passwd\nCPUs=cpu1\nMemory=128M\nVSock=no\n";

static struct supervisor supervisor;
static struct guest_config config;
static char path[64];			/* of the guest file */
static const char *said;
static unsigned int files;		/* open ones, when the test began */

/* Nobody waits for a lock for long: it is not given up */
int nanosleep(const struct timespec *span, struct timespec *left)
{
	return 0;
}

/*
 * The thread of calls.c runs between two events. Else the changes of state that it causes, which are
 * out-of-band data here, would get lost when sigmad reads in the band at the same time.
 */
static void *(*thread_runs)(void *data);
static void *thread_data;

static void run_thread(void)
{
	void *(*run)(void *data) = thread_runs;

	thread_runs = NULL;
	if (run)
		run(thread_data);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *data), void *data)
{
	thread_runs = run;
	thread_data = data;
	return 0;
}

int pthread_join(pthread_t thread, void **result)
{
	run_thread();
	return 0;
}

/* An observer; @data: what to put in front of its notes */

static int on_open(void *data)
{
	note("%sopen", (const char *)data);
	return 0;
}

static void on_close(void *data)
{
	note("%sclose", (const char *)data);
}

static void on_patience(void *data, uint64_t usec)
{
	note("%spatience", (const char *)data);
}

static void on_ready(void *data)
{
	note("%sready", (const char *)data);
}

static void on_state(void *data, uint32_t state)
{
	note("%s%s", (const char *)data, guest_state_name(state));
}

static void on_ending(void *data)
{
	note("%sending", (const char *)data);
}

static const struct observer_ops observer = {
	.open = on_open, .close = on_close, .patience = on_patience, .ready = on_ready,
	.state = on_state, .ending = on_ending,
};

static void write_file(const char *name, const char *what)
{
	FILE *file = fopen(name, "w");

	if (!file || fputs(what, file) < 0 || fclose(file))
		abort();
}

static void __attribute__((constructor)) prepare(void)
{
	signal(SIGPIPE, SIG_IGN);	/* as sigmad does */
	snprintf(path, sizeof(path), "%s/" HOST_GUEST ".guest", host.folder);
	write_file(path, text);
}

static void __attribute__((destructor)) clean_up(void)
{
	unlink(path);
}

static unsigned int open_files(void)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < FILES_MAX; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* As main() does, until the guest is to be made */
static bool begin(struct supervisor_options options)
{
	struct machine *machine = &supervisor.machine;
	int error;

	files = open_files();
	noted();
	host.fails = 0;
	host.read_error = 0;
	host.load_error = 0;
	supervisor = (struct supervisor){};
	config = (struct guest_config){};
	error = takeover_find(machine, &config, path);
	if (error < 0 || (!error && guestfile_load(&config, path)))
		return false;
	machine->config = &config;
	if (sd_event_new(&machine->event) < 0)
		return false;
	supervisor_init(&supervisor, &options);
	observers_add(&machine->observers, &observer, "");
	return true;
}

#define FOR_PEOPLE	{ .stop_timeout = UINT64_MAX, .hang_timeout = UINT64_MAX,	\
			  .boot_timeout = UINT64_MAX }
#define SERVICE		{ .stop_timeout = UINT64_MAX, .hang_timeout = UINT64_MAX,	\
			  .boot_timeout = 600 * SECOND, .service = true }

static int make(void)
{
	int error;

	capture_start();
	error = supervisor_make(&supervisor);
	said = capture_end();
	return error;
}

static int run(void)
{
	int error;

	capture_start();
	error = supervisor_run(&supervisor);
	said = capture_end();
	return error;
}

/* Wait up to @usec for an event and handle it; false: there was none, or the loop has ended */
static bool step(uint64_t usec)
{
	sd_event *event = supervisor.machine.event;

	run_thread();
	return sd_event_get_state(event) != SD_EVENT_FINISHED && sd_event_run(event, usec) > 0;
}

/* Handle what has happened. Return: exit status, or GOES_ON */
static int loop(void)
{
	int status = GOES_ON;

	while (step(0))
		;
	sd_event_get_exit_code(supervisor.machine.event, &status);
	return status;
}

/* Handle what happens until @message is logged. Return: as loop() */
static int loop_until(const char *message)
{
	while (!strstr(capture_peek(), message) && step(PATIENCE))
		;
	return loop();
}

#define CAPTURED(action, go_on) ({					\
	int after;							\
									\
	capture_start();						\
	action;								\
	after = go_on;							\
	said = capture_end();						\
	after;								\
})

/* @action, and what follows from it. Return: as loop() */
#define AFTER(action)		CAPTURED(action, loop())

/* The same, with the timer that logs @message */
#define UNTIL(message, action) ({					\
	int until = CAPTURED(action, loop_until(message));		\
									\
	EXPECT_SAID(message, said);					\
	until;								\
})

#define CHANGE(name)		AFTER(host_change(SIGMA_STATE_##name))

/* Make and start a guest whose driver comes up */
static bool begin_running(struct supervisor_options options)
{
	bool runs = begin(options) && !make() && !run() && CHANGE(RUNNING) == GOES_ON;

	noted();
	return runs;
}

/* As main() does behind the event loop; not after an error of supervisor_make() */
static int end(void)
{
	int error;

	capture_start();
	error = supervisor_end(&supervisor);
	said = capture_end();
	return error;
}

/* Nothing stays open, whatever happened */
static void finish(void)
{
	sd_event_unref(supervisor.machine.event);
	guestfile_free(&config);
	EXPECT_FALSE(host.exists);
	EXPECT_EQ(files, open_files());
	host.exists = false;
}

static void end_and_finish(const char *notes)
{
	EXPECT_EQ(0, end());
	EXPECT_STREQ(notes, noted());
	finish();
}

/* What the guest was asked for by an event, or 0 */
static uint32_t asked(void)
{
	struct {
		struct sigma_msg msg;
		struct sigma_bus_event_power power;
	} event = {};

	if (recv(host.guest, &event, sizeof(event), 0) != sizeof(event) ||
	    event.msg.flags != SIGMA_MSG_BUS || event.msg.id != SIGMA_BUS_EVENT_POWER)
		return 0;
	return le32toh(event.power.action);
}

/* As a kernel writes them: a record's id, and its text in whole words */
static void log_panic_to_memory(void)
{
	static const char banner[] = "Linux version 6.1 \0\0\0\0\0", panic[] = "Kernel panic - not syncing: no root";
	uint64_t id = 0x3ffffffffffff000, *at;

	at = mmap(NULL, HOST_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, host.memory, 0);
	ASSERT_TRUE(at != MAP_FAILED);
	at[0x100] = id++;
	memcpy(&at[0x101], banner, sizeof(banner) - 1);
	at[0x104] = id++;
	memcpy(&at[0x105], panic, sizeof(panic));
	at[0x10a] = id;
	munmap(at, HOST_MEMORY);
}

static void clear_memory(void)
{
	EXPECT_EQ(0, ftruncate(host.memory, 0) ?: ftruncate(host.memory, HOST_MEMORY));
}

/* The life of a guest */

TEST(boots_runs_and_switches_itself_off)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ("load create open", noted());
	ASSERT_EQ(0, run());
	/* People do not wait for the driver */
	EXPECT_STREQ("start booting ready", noted());
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_STREQ("", noted());

	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	EXPECT_SAID("the guest is running", said);
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ending", noted());
	EXPECT_SAID("the guest switched itself off", said);
	/* Its log came over the ring */
	EXPECT_EQ(0, end());
	EXPECT_STREQ("", said);
	EXPECT_STREQ("stop retire destroy close", noted());
	finish();
}

TEST(service_is_ready_when_the_driver_is)
{
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	ASSERT_EQ(0, run());
	EXPECT_STREQ("load create open start booting patience", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running ready", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ending", noted());
	end_and_finish("stop retire destroy close");
}

/* systemd takes a service that ends before READY=1 for one that failed */
TEST(service_that_ends_before_it_is_ready)
{
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_TRUE(!make() && !run());
	noted();
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ready ending", noted());
	EXPECT_EQ(0, end());
	/* Without a driver there was no log but in the guest's memory */
	EXPECT_SAID("the guest's kernel log was not found in its memory", said);
	EXPECT_STREQ("stop retire destroy close", noted());
	finish();
}

/* A guest that is asked to sleep */

static char why[REASON_TEXT_MAX];

static void slept(void *data, int error, const char *reason)
{
	note("slept:%d", error);
	snprintf(why, sizeof(why), "%s", reason ?: "");
}

static int ask_to_sleep(bool keep_cpus, uint64_t timeout)
{
	return sleep_ask(&supervisor.sleep, keep_cpus, timeout, slept, NULL, why);
}

static bool begin_sleepy(void)
{
	bool runs = begin_running((struct supervisor_options)FOR_PEOPLE);

	host.header->guest.can_sleep = htole32(1);
	return runs;
}

TEST(sleeps_wakes_and_goes_on)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(0, ask_to_sleep(false, SECOND));
	EXPECT_EQ(SIGMA_POWER_SLEEP, asked());
	EXPECT_EQ(-EALREADY, ask_to_sleep(false, SECOND));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_SAID("the guest is asleep; 'sigmactl wake " HOST_GUEST "' wakes it", said);
	EXPECT_STREQ("asleep return slept:0", noted());
	/* Once more: if its CPUs are lent still, they are not then */
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, ask_to_sleep(false, SECOND))));
	EXPECT_STREQ("return slept:0", noted());
	EXPECT_EQ(-EPIPE, ask_to_sleep(true, SECOND));
	EXPECT_STREQ("it is asleep, not running", why);

	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why))));
	EXPECT_STREQ("wake booting", noted());
	EXPECT_EQ(-EPIPE, supervisor_wake(&supervisor, NULL, NULL, why));
	EXPECT_STREQ("it is booting, not asleep", why);
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* Nobody has seen yet that it sleeps, and whoever asked it to is answered first */
TEST(woken_as_it_falls_asleep)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(0, ask_to_sleep(false, SECOND));
	EXPECT_EQ(GOES_ON, AFTER({
		host_change(SIGMA_STATE_ASLEEP);
		EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why));
	}));
	EXPECT_STREQ("asleep return slept:0 wake booting", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	end_and_finish("stop retire destroy close");
}

/* Its log is that of its life so far, and its memory is what it slept for */
TEST(wakes_slowly_as_a_service)
{
	struct supervisor_options options = SERVICE;

	options.boot_timeout = 2 * BOOTLOG_PERIOD_USEC;
	ASSERT_TRUE(begin_running(options));
	log_panic_to_memory();
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(GOES_ON, UNTIL("was woken 1 s ago and has not reported",
				 EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why))));
	EXPECT_STREQ("asleep return wake booting", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	clear_memory();
	end_and_finish("stop retire destroy close");
}

/* Then it boots, and its log is looked at */
TEST(restarts_instead_of_waking)
{
	ASSERT_TRUE(begin_sleepy());
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why))));
	EXPECT_EQ(GOES_ON, CHANGE(REBOOT));
	noted();
	log_panic_to_memory();
	EXPECT_EQ(GOES_ON, UNTIL("the guest panicked: no root", (void)0));
	EXPECT_STREQ("panic panicked", noted());
	clear_memory();
	end_and_finish("stop retire destroy close");
}

TEST(sleeps_and_keeps_its_cpus)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(0, ask_to_sleep(true, UINT64_MAX));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_SAID("is asleep, and keeps its CPUs", said);
	EXPECT_STREQ("asleep slept:0", noted());
	end_and_finish("stop retire destroy close");
}

TEST(falls_asleep_by_itself)
{
	ASSERT_TRUE(begin_sleepy());
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	end_and_finish("stop retire destroy close");
}

TEST(cannot_fall_asleep)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.header->guest.can_sleep = 0;
	EXPECT_EQ(-EOPNOTSUPP, ask_to_sleep(false, SECOND));
	EXPECT_SAID("its driver cannot", why);

	host.header->guest.can_sleep = htole32(1);
	ASSERT_EQ(0, ask_to_sleep(false, SECOND));
	EXPECT_EQ(GOES_ON, AFTER(observers_awake(&supervisor.machine.observers, EBUSY)));
	EXPECT_STREQ("slept:-16", noted());
	EXPECT_SAID("could not fall asleep (Device or resource busy) and runs on", why);

	UNTIL("did not fall asleep in time and runs on", ask_to_sleep(false, MSEC));
	EXPECT_STREQ("slept:-110", noted());
	/* It may do so later */
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	end_and_finish("stop retire destroy close");
}

static void wake_up(void)
{
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why))));
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	noted();
}

TEST(falls_asleep_late)
{
	ASSERT_TRUE(begin_sleepy());
	UNTIL("did not fall asleep in time", ask_to_sleep(true, MSEC));
	noted();
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_SAID("is asleep, and keeps its CPUs", said);
	EXPECT_STREQ("asleep", noted());
	/* That was the request's. By itself it keeps none */
	wake_up();
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());

	wake_up();
	UNTIL("did not fall asleep in time", ask_to_sleep(true, MSEC));
	EXPECT_EQ(GOES_ON, AFTER(observers_awake(&supervisor.machine.observers, EBUSY)));
	EXPECT_STREQ("slept:-110", noted());
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	end_and_finish("stop retire destroy close");
}

/* A guest that something wakes */

static void ring(unsigned int doorbell)
{
	host.header->to_guest.pending[doorbell / 64] |= htole64(1ULL << doorbell % 64);
}

static void forget_doorbells(void)
{
	memset(host.header->to_guest.pending, 0, sizeof(host.header->to_guest.pending));
	host.header->guest.wake_at = 0;
}

static bool begin_waking_on(unsigned int wake_on)
{
	bool runs = begin_sleepy();

	config.wake_on = wake_on;
	forget_doorbells();
	return runs;
}

TEST(what_comes_wakes_it)
{
	ASSERT_TRUE(begin_waking_on(WAKE_ON_CHANNEL));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	/* No channel's */
	ring(SIGMA_DOORBELL_CONTROL);
	ring(SIGMA_DOORBELL_END - 1);
	EXPECT_EQ(GOES_ON, AFTER(host_tell()));
	EXPECT_STREQ("", noted());
	ring(SIGMA_DOORBELL_CHANNEL(SIGMA_CHANNELS));
	EXPECT_EQ(GOES_ON, AFTER(host_tell()));
	EXPECT_STREQ("wake booting", noted());
	EXPECT_SAID("channel 16 wakes the guest", said);
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));

	/* It came while the guest fell asleep, and nobody tells once more. It is not woken at once again */
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("running asleep return", noted());
	UNTIL("channel 16 wakes the guest", (void)0);
	EXPECT_STREQ("wake booting", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

TEST(what_comes_does_not_wake_it)
{
	ASSERT_TRUE(begin_waking_on(WAKE_ON_NETWORK | WAKE_ON_VSOCK));
	ring(SIGMA_DOORBELL_CHANNEL(1));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(GOES_ON, AFTER(host_tell()));
	EXPECT_STREQ("asleep return", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

TEST(is_woken_later_on)
{
	ASSERT_TRUE(begin_waking_on(WAKE_ON_CHANNEL));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	ring(SIGMA_DOORBELL_CHANNEL(1));
	/* Its CPU is lent to another guest meanwhile */
	host.fails = SIGMA_WAKE;
	host.error = EBUSY;
	EXPECT_EQ(GOES_ON, AFTER(host_tell()));
	EXPECT_SAID("the guest cannot be woken now", said);
	EXPECT_SAID("it will be as soon as it can", said);
	noted();
	host.fails = 0;
	UNTIL("channel 1 wakes the guest", (void)0);
	EXPECT_STREQ("wake booting", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

/* Of a program that is about to save it */
TEST(nothing_wakes_it_meanwhile)
{
	ASSERT_TRUE(begin_waking_on(WAKE_ON_CHANNEL));
	wakeon_hold(&supervisor.wakeon, true);
	ring(SIGMA_DOORBELL_CHANNEL(1));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	EXPECT_EQ(GOES_ON, AFTER(wakeon_hold(&supervisor.wakeon, false)));
	EXPECT_STREQ("wake booting", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

TEST(its_alarm_wakes_it)
{
	const uint64_t now = time(NULL);

	ASSERT_TRUE(begin_waking_on(0));
	host.header->guest.wake_at = htole64(now + 3600);
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	EXPECT_EQ((now + 3600) * SECOND, wakeon_at(&supervisor.wakeon));
	wake_up();
	EXPECT_EQ(0, wakeon_at(&supervisor.wakeon));

	/* Any number may be there. Later is never, and before is now */
	host.header->guest.wake_at = htole64(UINT64_MAX);
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_STREQ("asleep return", noted());
	EXPECT_EQ(0, wakeon_at(&supervisor.wakeon));
	wake_up();
	host.header->guest.wake_at = htole64(UINT64_MAX / SECOND + 2);
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(0, wakeon_at(&supervisor.wakeon));
	wake_up();
	host.header->guest.wake_at = htole64(1);
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_SAID("its alarm wakes the guest", said);
	EXPECT_STREQ("asleep return wake booting", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

TEST(wakes_at_the_time_that_was_set)
{
	const uint64_t now = time(NULL) * SECOND;

	ASSERT_TRUE(begin_waking_on(0));
	/* The earlier one of the two */
	host.header->guest.wake_at = htole64(now / SECOND + 100);
	wakeon_set(&supervisor.wakeon, now + 50 * SECOND);
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(now + 50 * SECOND, wakeon_at(&supervisor.wakeon));
	wakeon_set(&supervisor.wakeon, 0);
	EXPECT_EQ(now + 100 * SECOND, wakeon_at(&supervisor.wakeon));
	noted();
	UNTIL("the time that was set wakes the guest", wakeon_set(&supervisor.wakeon, now + SECOND));
	EXPECT_STREQ("wake booting", noted());

	/* It was for that sleep */
	forget_doorbells();
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(0, wakeon_at(&supervisor.wakeon));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(ends_instead_of_falling_asleep)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(0, ask_to_sleep(false, SECOND));
	EXPECT_EQ(GOES_ON, CHANGE(PANICKED));
	EXPECT_STREQ("panicked slept:-32", noted());
	EXPECT_STREQ("it is panicked", why);
	end_and_finish("stop retire destroy close");
}

/* sigma.ko wakes what it has put to sleep for the machine's sleep, or tells why it could not */
TEST(wakes_with_the_machine)
{
	ASSERT_TRUE(begin_sleepy());
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	host.wake_failure = (struct sigma_wake_failure){
		.error = EBUSY, .why = { .reason = SIGMA_REASON_CPU_LENT, .cpu = 1 },
	};
	EXPECT_EQ(GOES_ON, AFTER(host_tell()));
	EXPECT_SAID("the machine is awake, but the guest sleeps on: cpu 1: is lent to a guest already", said);
	host.wake_failure = (struct sigma_wake_failure){};

	EXPECT_EQ(GOES_ON, CHANGE(BOOTING));
	EXPECT_TRUE(supervisor.waking);
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_FALSE(supervisor.waking);
	noted();
	end_and_finish("stop retire destroy close");
}

/* A guest that is saved */

static void saved(void *data, int error, const char *reason)
{
	note("saved:%d", error);
	snprintf(why, sizeof(why), "%s", reason ?: "");
}

/* @path: NULL: a file without a name */
static int begin_save(const char *path, int *file)
{
	*file = path ? open(path, O_WRONLY | O_CLOEXEC) : memfd_create("saved", MFD_CLOEXEC);
	return save_begin(&supervisor.save, fcntl(*file, F_DUPFD_CLOEXEC, 0), saved, NULL, why);
}

static bool begin_asleep(void)
{
	bool sleeps = begin_sleepy() && CHANGE(ASLEEP) == GOES_ON;

	noted();
	return sleeps;
}

TEST(is_saved_and_goes_on)
{
	int file;

	ASSERT_TRUE(begin_asleep());
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, begin_save(NULL, &file))));
	EXPECT_STREQ("saved:0", noted());
	EXPECT_SAID("the guest is saved", said);
	EXPECT_TRUE(lseek(file, 0, SEEK_END) > (off_t)sizeof(struct save_head));
	close(file);

	/* Its devices pause until whoever asked has left */
	EXPECT_EQ(-EBUSY, supervisor_wake(&supervisor, NULL, NULL, why));
	EXPECT_EQ(-EALREADY, begin_save(NULL, &file));
	close(file);
	save_release(&supervisor.save);
	wake_up();
	EXPECT_EQ(-EPIPE, begin_save(NULL, &file));
	EXPECT_STREQ("it is running, not asleep", why);
	close(file);
	end_and_finish("stop retire destroy close");
}

TEST(is_saved_and_killed)
{
	int file;

	ASSERT_TRUE(begin_asleep());
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, begin_save(NULL, &file))));
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_kill(&supervisor)));
	close(file);
	EXPECT_STREQ("saved:0 stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(there_is_no_room_to_save_it)
{
	int file;

	ASSERT_TRUE(begin_asleep());
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, begin_save("/dev/full", &file))));
	close(file);
	EXPECT_STREQ("saved:-28", noted());
	EXPECT_SAID("was not saved: No space left", said);
	EXPECT_TRUE(save_is_idle(&supervisor.save));
	wake_up();
	end_and_finish("stop retire destroy close");
}

TEST(cannot_be_saved)
{
	int file;

	ASSERT_TRUE(begin_asleep());
	supervisor.save.transient = true;
	EXPECT_EQ(-EOPNOTSUPP, begin_save(NULL, &file));
	EXPECT_STREQ("it ends with the program that started it", why);
	close(file);
	end_and_finish("stop retire destroy close");
}

/* Before the file is written, while it is, and when it was */
TEST(ends_instead_of_being_saved)
{
	int file;

	for (unsigned int steps = 0; steps < 3; steps++) {
		ASSERT_TRUE(begin_asleep());
		EXPECT_EQ(GOES_ON, AFTER({
			EXPECT_EQ(0, begin_save(NULL, &file));
			for (unsigned int i = 0; i < steps; i++)
				step(PATIENCE);
			supervisor_power_off(&supervisor, UINT64_MAX);
		}));
		EXPECT_STREQ(steps < 2 ? "saved:-125 wake booting" : "saved:0 wake booting", noted());
		close(file);
		EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
		/* Devices that go on tell the guest to look at them */
		if (steps)
			EXPECT_EQ(0, asked());
		EXPECT_EQ(SIGMA_POWER_OFF, asked());
		EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
		noted();
		end_and_finish("stop retire destroy close");
	}
}

TEST(wakes_while_it_is_saved)
{
	int file;

	ASSERT_TRUE(begin_asleep());
	EXPECT_EQ(GOES_ON, AFTER({
		EXPECT_EQ(0, begin_save(NULL, &file));
		step(PATIENCE);
		host_change(SIGMA_STATE_BOOTING);
	}));
	close(file);
	EXPECT_STREQ("booting saved:-125", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(is_woken_to_switch_itself_off)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(GOES_ON, CHANGE(ASLEEP));
	noted();
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_STREQ("wake booting", noted());
	/* Before it runs nobody would hear the request */
	EXPECT_EQ(0, asked());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* It is asked to end, and so cannot keep itself from it */
TEST(falls_asleep_instead_of_ending)
{
	ASSERT_TRUE(begin_sleepy());
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(SIGMA_POWER_OFF, asked());
		EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
		EXPECT_STREQ("asleep wake booting", noted());
		EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
		EXPECT_STREQ("running", noted());
	}
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(ASLEEP));
	EXPECT_SAID("fell asleep again instead of switching itself off, and is stopped", said);
	EXPECT_STREQ("asleep stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

static void woken(void *data, int error, const char *reason)
{
	note("woken:%d", error);
	snprintf(why, sizeof(why), "%s", reason);
}

static void wake_twice(void)
{
	EXPECT_EQ(0, supervisor_wake(&supervisor, woken, NULL, why));
	EXPECT_EQ(-EALREADY, supervisor_wake(&supervisor, woken, NULL, why));
	EXPECT_STREQ("it is being woken already", why);
}

TEST(cannot_be_woken)
{
	ASSERT_TRUE(begin_sleepy());
	ASSERT_EQ(GOES_ON, CHANGE(ASLEEP));
	noted();
	host.fails = SIGMA_WAKE;
	host.error = EBUSY;
	EXPECT_EQ(GOES_ON, AFTER(wake_twice()));
	EXPECT_STREQ("woken:-16", noted());
	EXPECT_STREQ("cpu 1: is lent to a guest already", why);
	EXPECT_EQ(SIGMA_STATE_ASLEEP, supervisor.state);

	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_SAID("cannot be woken to switch itself off, and is stopped: cpu 1", said);
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

static int fallocate_error;
static off_t fallocated;

int posix_fallocate(int fd, off_t offset, off_t len)
{
	fallocated = offset + len;
	return fallocate_error ?: ftruncate(fd, fallocated) ? errno : 0;
}

/* A hole in the state would be a SIGBUS later, at a store, whenever /run is full then */
TEST(state_without_room)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	fallocate_error = ENOSPC;
	EXPECT_EQ(-ENOSPC, make());
	fallocate_error = 0;
	EXPECT_SAID("cannot keep the state of the guest in /run/sigma: No space left", said);
	EXPECT_STREQ("load", noted());
	EXPECT_EQ(sizeof(struct guest_state), fallocated);
	finish();
}

TEST(observers_are_told_in_order)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	observers_add(&supervisor.machine.observers, &observer, "b:");
	ASSERT_TRUE(!make() && !run());
	EXPECT_STREQ("load create open b:open start booting b:booting ready b:ready", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running b:running", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff b:poweroff ending b:ending", noted());
	end_and_finish("stop retire destroy b:close close");
}

/* Two changes before sigmad looks are one */
TEST(states_that_were_missed)
{
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_TRUE(!make() && !run());
	noted();
	EXPECT_EQ(EXIT_SUCCESS, AFTER({
		host_change(SIGMA_STATE_RUNNING);
		recv(host.device, &(char){ 0 }, 1, MSG_OOB);
		host_change(SIGMA_STATE_POWEROFF);
	}));
	EXPECT_STREQ("poweroff ready ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(never_started)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	noted();
	/* Its logs would be empty, so they are not kept */
	end_and_finish("stop remove destroy close");
}

/* Starts that fail */

TEST(kernel_that_cannot_be_read)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	host.load_error = -ENOENT;
	EXPECT_EQ(-ENOENT, make());
	EXPECT_STREQ("load", noted());
	finish();
}

TEST(cpus_that_are_refused)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_CREATE;
	host.error = EBUSY;
	EXPECT_EQ(-EBUSY, make());
	EXPECT_SAID(HOST_GUEST ".guest:3: CPUs=: cpu 1: is lent to a guest already", said);
	EXPECT_STREQ("load", noted());
	finish();
}

TEST(memory_that_cannot_be_had)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_MEMORY_FD;
	host.error = EMFILE;
	EXPECT_EQ(-EMFILE, make());
	EXPECT_STREQ("load create destroy", noted());
	finish();
}

static int on_open_fails(void *data)
{
	return -EADDRINUSE;
}

TEST(observer_that_cannot_be_opened)
{
	static const struct observer_ops failing = { .open = on_open_fails, .close = on_close };

	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	observers_add(&supervisor.machine.observers, &failing, "b:");
	EXPECT_EQ(-EADDRINUSE, make());
	EXPECT_STREQ("load create open close remove destroy", noted());
	finish();
}

TEST(cpu_that_does_not_start)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	noted();
	host.fails = SIGMA_START;
	host.error = EIO;
	EXPECT_EQ(-EIO, run());
	EXPECT_SAID("a CPU did not answer INIT-SIPI", said);
	/* Nobody is told of a guest that never was */
	EXPECT_STREQ("", noted());
	end_and_finish("stop remove destroy close");
}

TEST(another_layout_of_the_window)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	noted();
	host.window_version = SIGMA_IOSC_VERSION + 1;
	EXPECT_EQ(-EPROTO, run());
	host.window_version = SIGMA_IOSC_VERSION;
	EXPECT_SAID("sigma.ko has version 3 of the shared memory window, and this sigmad has version 2", said);
	EXPECT_STREQ("start", noted());
	end_and_finish("stop remove destroy close");
}

/* What the guest does */

TEST(reboots)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(GOES_ON, CHANGE(REBOOT));
		EXPECT_SAID("the guest restarts", said);
		/* Those who wait for the guest were told once that it is ready */
		EXPECT_STREQ("reboot stop load start booting", noted());
		EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
		EXPECT_STREQ("running", noted());
	}
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ending", noted());
	end_and_finish("stop retire destroy close");
}

static void restart_fails(const char *notes)
{
	EXPECT_EQ(EXIT_FAILURE, CHANGE(REBOOT));
	EXPECT_STREQ(notes, noted());
	host.fails = 0;
	host.load_error = 0;
	end_and_finish("stop retire destroy close");
}

TEST(restart_without_its_kernel)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.load_error = -ENOENT;
	restart_fails("reboot stop load ending");
}

TEST(restart_that_does_not_start)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_START;
	host.error = EIO;
	restart_fails("reboot stop load ending");
}

TEST(restart_that_does_not_stop)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_STOP;
	host.error = EIO;
	restart_fails("reboot ending");
}

TEST(panics_and_is_kept)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	strcpy(host.header->guest.panic_text, "no root");
	EXPECT_EQ(GOES_ON, CHANGE(PANICKED));
	EXPECT_STREQ("panicked", noted());
	EXPECT_SAID("the guest panicked: no root", said);
	EXPECT_SAID("the guest is kept as it is: 'sigmactl log " HOST_GUEST "'", said);
	EXPECT_SAID("kernel log was not found in its memory", said);
	/* It cannot switch itself off any more */
	EXPECT_EQ(EXIT_FAILURE, AFTER(supervisor_power_off(&supervisor, SECOND)));
	EXPECT_STREQ("ending", noted());
	/* The log was saved at once, and is not saved again */
	EXPECT_EQ(0, end());
	EXPECT_STREQ("", said);
	EXPECT_STREQ("stop retire destroy close", noted());
	finish();
}

/* systemd starts a service again, as its unit says by Restart= */
TEST(panics_as_a_service)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	EXPECT_EQ(SUPERVISOR_GUEST_FAILED, CHANGE(PANICKED));
	EXPECT_STREQ("panicked ending", noted());
	EXPECT_SAID("the guest panicked: (no reason given)", said);
	EXPECT_FALSE(strstr(said, "is kept"));
	end_and_finish("stop retire destroy close");
}

/* A panic on the way down is no failure that systemd should start again for */
TEST(panics_when_asked_to_end)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_EQ(EXIT_FAILURE, CHANGE(PANICKED));
	EXPECT_STREQ("panicked ending", noted());
	end_and_finish("stop retire destroy close");
}

/* Nothing tells of the panic but the guest's memory */
TEST(panics_while_it_boots)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE) && !make() && !run());
	noted();
	log_panic_to_memory();
	EXPECT_EQ(GOES_ON, UNTIL("the guest panicked: no root", (void)0));
	EXPECT_STREQ("panic panicked", noted());
	clear_memory();
	end_and_finish("stop retire destroy close");
}

TEST(contained_and_kept)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, CHANGE(CONTAINED));
	EXPECT_STREQ("contained", noted());
	EXPECT_SAID("the guard stopped the guest: wrote to address 0x1000, which is not the guest's\n", said);
	EXPECT_SAID("the guard stopped the guest: cpu 1 (the guest's CPU 0), CPL 0, RIP 0x0\n", said);
	EXPECT_SAID("the guest is kept as it is", said);
	EXPECT_EQ(EXIT_FAILURE, AFTER(supervisor_power_off(&supervisor, SECOND)));
	EXPECT_STREQ("ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(contained_as_a_service)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	EXPECT_EQ(SUPERVISOR_GUEST_FAILED, CHANGE(CONTAINED));
	EXPECT_STREQ("contained ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(hangs_while_people_watch)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, CHANGE(UNRESPONSIVE));
	/* No NMI, no timer: they decide */
	EXPECT_STREQ("unresponsive", noted());
	EXPECT_SAID("the guest's heartbeat stands still", said);
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_kill(&supervisor)));
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(hangs_as_a_service)
{
	struct supervisor_options options = SERVICE;

	options.hang_timeout = MSEC;
	ASSERT_TRUE(begin_running(options));
	EXPECT_EQ(SUPERVISOR_GUEST_FAILED, UNTIL("its heartbeat has not come back",
						 host_change(SIGMA_STATE_UNRESPONSIVE)));
	EXPECT_SAID("kernel log was not found in its memory", said);
	EXPECT_STREQ("unresponsive nmi stop ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(hangs_for_a_moment)
{
	struct supervisor_options options = SERVICE;

	options.hang_timeout = 600 * SECOND;
	ASSERT_TRUE(begin_running(options));
	EXPECT_EQ(GOES_ON, CHANGE(UNRESPONSIVE));
	EXPECT_TRUE(supervisor.hang.timer);
	EXPECT_STREQ("unresponsive nmi", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_TRUE(!supervisor.hang.timer);
	EXPECT_STREQ("running", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(hangs_as_a_service_for_ever)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	EXPECT_EQ(GOES_ON, CHANGE(UNRESPONSIVE));
	EXPECT_STREQ("unresponsive nmi", noted());
	EXPECT_TRUE(!supervisor.hang.timer);
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_kill(&supervisor)));
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(does_not_boot)
{
	struct supervisor_options options = FOR_PEOPLE;

	options.boot_timeout = MSEC;
	ASSERT_TRUE(begin(options));
	ASSERT_TRUE(!make() && !run());
	noted();
	EXPECT_EQ(GOES_ON, UNTIL("the guest's driver is not up", ));
	EXPECT_STREQ("", noted());
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_kill(&supervisor)));
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(does_not_boot_as_a_service)
{
	struct supervisor_options options = SERVICE;

	options.boot_timeout = MSEC;
	ASSERT_TRUE(begin(options));
	ASSERT_TRUE(!make() && !run());
	noted();
	EXPECT_EQ(SUPERVISOR_GUEST_FAILED, UNTIL("the guest's driver is not up", ));
	/* Not ready: systemd has to take it for one that failed to start */
	EXPECT_STREQ("stop ending", noted());
	end_and_finish("stop retire destroy close");
}

/* What others do to it */

TEST(stopped_by_somebody_else)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(EXIT_FAILURE, CHANGE(STOPPED));
	EXPECT_STREQ("stopped ending", noted());
	EXPECT_SAID("the guest was stopped by somebody else", said);
	end_and_finish("stop retire destroy close");
}

TEST(lost)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(EXIT_FAILURE, CHANGE(LOST));
	EXPECT_STREQ("lost ending", noted());
	EXPECT_SAID("did not answer INIT and may still run", said);
	host.fails = SIGMA_DESTROY;
	host.error = EIO;
	EXPECT_EQ(-EIO, end());
	EXPECT_STREQ("stop retire close", noted());
	host.exists = false;
	host_hang_up();
	finish();
}

TEST(destroyed_by_somebody_else)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(EXIT_FAILURE, AFTER(host_destroy()));
	EXPECT_SAID("the guest was destroyed by somebody else", said);
	EXPECT_STREQ("destroy ending", noted());
	host.fails = SIGMA_DESTROY;
	host.error = ENOENT;
	end_and_finish("stop retire close");
}

TEST(state_that_cannot_be_read)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_GET_INFO;
	host.error = ENODEV;
	EXPECT_EQ(EXIT_FAILURE, CHANGE(UNRESPONSIVE));
	EXPECT_STREQ("ending", noted());
	host.fails = 0;
	end_and_finish("stop retire destroy close");
}

/* What people ask for */

TEST(asked_to_switch_itself_off)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_TRUE(!supervisor.power_off);
	/* Again, with a timeout that no clock can hold */
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX - 1)));
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_TRUE(supervisor.power_off);
	EXPECT_STREQ("", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ending", noted());
	end_and_finish("stop retire destroy close");
}

/* Some systems reboot at the press of a power button */
TEST(reboots_when_asked_to_end)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(REBOOT));
	EXPECT_STREQ("reboot ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(does_not_switch_itself_off)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)SERVICE));
	EXPECT_EQ(EXIT_SUCCESS, UNTIL("did not switch itself off in time and is stopped",
				      supervisor_power_off(&supervisor, MSEC)));
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

/* It does not read its messages, so it cannot be asked */
static void fill_ring(void)
{
	char message[SIGMA_MSG_MAX] = "";

	while (send(host.device, message, sizeof(message), MSG_DONTWAIT) > 0)
		;
}

static void empty_ring(void)
{
	char message[SIGMA_MSG_MAX];

	while (recv(host.guest, message, sizeof(message), MSG_DONTWAIT) > 0)
		;
}

TEST(cannot_be_asked)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	fill_ring();
	EXPECT_EQ(-EAGAIN, supervisor_reboot(&supervisor));
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_SAID("cannot be asked to switch itself off", said);
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(asked_to_reboot)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(0, supervisor_reboot(&supervisor));
	EXPECT_EQ(SIGMA_POWER_REBOOT, asked());
	EXPECT_EQ(GOES_ON, CHANGE(REBOOT));
	EXPECT_STREQ("reboot stop load start booting", noted());
	EXPECT_EQ(GOES_ON, CHANGE(PANICKED));
	EXPECT_EQ(-EPIPE, supervisor_reboot(&supervisor));
	EXPECT_STREQ("panicked", noted());
	end_and_finish("stop retire destroy close");
}

/* SIGTERM, and a person who is in a hurry */
TEST(interrupted_twice)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, AFTER(supervisor_interrupt(&supervisor)));
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_STREQ("", noted());
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_interrupt(&supervisor)));
	EXPECT_SAID("second signal: the guest is stopped at once", said);
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(interrupted_with_a_timeout)
{
	struct supervisor_options options = FOR_PEOPLE;

	options.stop_timeout = MSEC;
	ASSERT_TRUE(begin_running(options));
	EXPECT_EQ(EXIT_SUCCESS, UNTIL("did not switch itself off in time and is stopped",
				      supervisor_interrupt(&supervisor)));
	EXPECT_STREQ("stop stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

TEST(killed_before_it_was_started)
{
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	noted();
	EXPECT_EQ(EXIT_SUCCESS, AFTER(supervisor_power_off(&supervisor, SECOND)));
	EXPECT_STREQ("ready ending", noted());
	end_and_finish("stop remove destroy close");
}

TEST(killed_and_cannot_be_stopped)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.fails = SIGMA_STOP;
	host.error = EIO;
	EXPECT_EQ(EXIT_FAILURE, AFTER(supervisor_kill(&supervisor)));
	EXPECT_SAID("a CPU of the guest did not answer INIT", said);
	EXPECT_STREQ("lost ending", noted());
	end_and_finish("retire destroy close");
}

/* The guest's control messages */

static bool send_hello(void)
{
	const struct sigma_msg hello = { .flags = SIGMA_MSG_BUS, .id = SIGMA_BUS_HELLO };

	return send(host.guest, &hello, sizeof(hello), 0) == sizeof(hello);
}

static bool is_answered(void)
{
	struct {
		struct sigma_msg msg;
		struct sigma_bus_hello hello;
	} answer = {};

	return recv(host.guest, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer) &&
	       answer.msg.flags == (SIGMA_MSG_BUS | SIGMA_MSG_RESPONSE) &&
	       answer.msg.id == SIGMA_BUS_HELLO && !answer.msg.status &&
	       le32toh(answer.hello.version) == SIGMA_IOSC_VERSION;
}

TEST(messages_wait_for_room)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	EXPECT_TRUE(is_answered());
	EXPECT_STREQ("", said);

	fill_ring();
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	empty_ring();
	EXPECT_FALSE(is_answered());
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_TRUE(is_answered());
	/* Nor is one of a guest that fell asleep meanwhile lost */
	fill_ring();
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	wake_up();
	empty_ring();
	EXPECT_FALSE(is_answered());
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_TRUE(is_answered());
	/* And the next one again at once */
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	EXPECT_TRUE(is_answered());
	EXPECT_STREQ("", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(ring_that_the_guest_broke)
{
	ASSERT_TRUE(begin_running((struct supervisor_options)FOR_PEOPLE));
	host.read_error = EPROTO;
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	EXPECT_SAID("no more control messages from the guest until it is restarted: it broke the ring",
		    said);
	/* Its messages are left alone, and sigmad sleeps */
	EXPECT_EQ(0, sd_event_run(supervisor.machine.event, 0));
	host.read_error = 0;
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_FALSE(is_answered());
	/* The state is watched as before */
	EXPECT_EQ(GOES_ON, CHANGE(UNRESPONSIVE));
	EXPECT_EQ(GOES_ON, CHANGE(REBOOT));
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_TRUE(is_answered());
	EXPECT_STREQ("unresponsive reboot stop load start booting", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* Take-over: a child process is the sigmad that dies */

static bool leave_guest(bool started)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!begin((struct supervisor_options)FOR_PEOPLE) || make() || (started && run()))
			_exit(1);
		_exit(0);
	}
	host.exists = true;
	host.state = started ? SIGMA_STATE_RUNNING : SIGMA_STATE_CREATED;
	host.header->guest.state = htole32(started ? SIGMA_GUEST_UP : SIGMA_GUEST_NONE);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

TEST(taken_over)
{
	ASSERT_TRUE(leave_guest(true));
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_SAID("took over the guest from a sigmad that died", said);
	EXPECT_STREQ("open running ready", noted());
	/* It runs, and is not started again */
	EXPECT_EQ(0, run());
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_STREQ("", noted());
	empty_ring();			/* sigmad has told the guest to look at its devices */
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_TRUE(send_hello())));
	EXPECT_TRUE(is_answered());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	EXPECT_STREQ("poweroff ending", noted());
	end_and_finish("stop retire destroy close");
}

/* Its driver was up, and need not be waited for */
TEST(taken_over_while_it_sleeps)
{
	ASSERT_TRUE(leave_guest(true));
	host.state = SIGMA_STATE_ASLEEP;
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ("open asleep ready", noted());
	EXPECT_EQ(0, run());
	/* Whether it was to keep its CPUs is not known. Whoever knows can say it again */
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, ask_to_sleep(false, SECOND))));
	EXPECT_STREQ("return slept:0", noted());
	end_and_finish("stop retire destroy close");
}

/* What came meanwhile, or before it was saved, must not be faster than who restores and wakes it */
TEST(woken_by_nothing_until_it_is_restored)
{
	static const struct restore restored;

	ASSERT_TRUE(leave_guest(true));
	host.state = SIGMA_STATE_ASLEEP;
	host.header->guest.wake_at = htole64(1);
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	supervisor.machine.restored = &restored;
	ASSERT_EQ(0, make());
	EXPECT_EQ(0, run());
	EXPECT_EQ(GOES_ON, loop());
	EXPECT_STREQ("open asleep ready", noted());
	EXPECT_EQ(GOES_ON, AFTER(EXPECT_EQ(0, supervisor_wake(&supervisor, NULL, NULL, why))));
	EXPECT_STREQ("wake booting", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_EQ(GOES_ON, CHANGE(ASLEEP));
	EXPECT_SAID("its alarm wakes the guest", said);
	EXPECT_STREQ("running asleep return wake booting", noted());
	forget_doorbells();
	end_and_finish("stop retire destroy close");
}

TEST(taken_over_while_it_wakes)
{
	ASSERT_TRUE(leave_guest(true));
	host.state = SIGMA_STATE_BOOTING;
	host.header->guest.state = htole32(SIGMA_GUEST_ASLEEP);
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ("open booting ready", noted());
	EXPECT_EQ(0, run());
	empty_ring();
	EXPECT_EQ(GOES_ON, AFTER(supervisor_power_off(&supervisor, UINT64_MAX)));
	EXPECT_EQ(0, asked());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_EQ(SIGMA_POWER_OFF, asked());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* Nothing needs its files before it boots again */
TEST(taken_over_without_its_kernel)
{
	char kernel[64], changed[256];
	bool left;

	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", host.folder);
	snprintf(changed, sizeof(changed), "[Guest]\nKernel=%s\nCPUs=cpu1\nVSock=no\n", kernel);
	write_file(kernel, "");
	write_file(path, changed);
	left = leave_guest(true);
	unlink(kernel);
	write_file(path, text);
	ASSERT_TRUE(left);
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ(kernel, config.kernel);
	EXPECT_EQ(0, run());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* What a sigmad finds that cannot take the guest over, and does not touch it */
static int found(void)
{
	struct machine machine = {};
	int error;

	capture_start();
	error = takeover_find(&machine, &config, path);
	said = capture_end();
	EXPECT_TRUE(!machine.state && !machine.config);
	EXPECT_STREQ("", noted());
	EXPECT_TRUE(host.exists);
	return error;
}

/* The D-Bus socket of a sigmad, which is whoever calls listen() */
static int make_bus(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rundir_path(addr.sun_path, HOST_GUEST, "bus");
	unlink(addr.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	return fd;
}

static void close_bus(int fd)
{
	char bus[RUNDIR_PATH_MAX];

	rundir_path(bus, HOST_GUEST, "bus");
	unlink(bus);
	close(fd);
}

/* The guest's state file, open for the test */
static int open_state(void)
{
	char state[RUNDIR_PATH_MAX];

	rundir_path(state, HOST_GUEST, STATE_FILE);
	return open(state, O_RDWR | O_CLOEXEC);
}

/* The next sigmad takes the guest over, and the guest ends */
static bool is_taken_over(void)
{
	if (!begin((struct supervisor_options)SERVICE) || make() || run())
		return false;
	if (CHANGE(POWEROFF) != EXIT_SUCCESS)
		return false;
	noted();
	return true;
}

TEST(not_taken_over)
{
	struct state_header header, other = {};
	char owner[RUNDIR_PATH_MAX];
	int fd, bus;

	ASSERT_TRUE(leave_guest(true));
	noted();
	fd = open_state();
	ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	bus = make_bus();
	ASSERT_EQ(0, listen(bus, 1));
	EXPECT_EQ(-EBUSY, found());
	EXPECT_SAID(HOST_GUEST ": exists already, and a sigmad serves it", said);
	close_bus(bus);

	/* A guest of a user has a virtiofsd with the rights of that user, and of nobody else */
	ASSERT_EQ(0, owner_keep(&(struct owner){ .uid = 1000, .gid = 100 }, HOST_GUEST));
	EXPECT_EQ(-EPERM, found());
	EXPECT_SAID(HOST_GUEST ": is a guest of user 1000, and is not served with the rights of others; 'sigmactl kill "
		    HOST_GUEST "' ends it", said);
	rundir_path(owner, HOST_GUEST, "owner");
	ASSERT_EQ(0, truncate(owner, 0));
	EXPECT_EQ(-EPERM, found());
	EXPECT_SAID("cannot see whose guest it is", said);
	unlink(owner);

	/* Whoever holds the lock does not serve the guest: another try may succeed */
	EXPECT_EQ(-EAGAIN, found());
	EXPECT_SAID(HOST_GUEST ": cannot take the guest over: its last sigmad was killed and has not ended yet",
		    said);
	ASSERT_EQ(0, flock(fd, LOCK_UN));

	ASSERT_EQ(sizeof(header), pread(fd, &header, sizeof(header), 0));
	ASSERT_EQ(sizeof(other), pwrite(fd, &other, sizeof(other), 0));
	EXPECT_EQ(-ESTALE, found());
	EXPECT_SAID("its state file is damaged; end the guest by 'sigmactl kill " HOST_GUEST "'", said);
	other = header;
	other.size++;
	ASSERT_EQ(sizeof(other), pwrite(fd, &other, sizeof(other), 0));
	EXPECT_EQ(-ESTALE, found());
	EXPECT_SAID("its state file is damaged", said);
	other = header;
	other.layout = '0';
	ASSERT_EQ(sizeof(other), pwrite(fd, &other, sizeof(other), 0));
	EXPECT_EQ(-ESTALE, found());
	EXPECT_SAID("its state file is damaged", said);
	ASSERT_EQ(sizeof(header), pwrite(fd, &header, sizeof(header), 0));

	/* The next one can */
	close(fd);
	ASSERT_TRUE(is_taken_over());
	end_and_finish("stop retire destroy close");

	/* Without a state there is nothing to take over */
	host.exists = true;
	EXPECT_EQ(0, found());
	host.exists = false;
	EXPECT_EQ(0, takeover_find(&supervisor.machine, &config, path));
}

/* A sigmad that was killed is there until the kernel has finished its requests, and serves nothing */
TEST(not_taken_over_from_one_that_dies)
{
	siginfo_t info;
	pid_t pid;
	int fd, bus;

	ASSERT_TRUE(leave_guest(true));
	noted();
	fd = open_state();
	ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
	/* The socket stays open, and its process is one that has ended and is not waited for */
	bus = make_bus();
	pid = fork();
	if (!pid) {
		listen(bus, 1);
		_exit(0);
	}
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(-EAGAIN, found());
	EXPECT_SAID("its last sigmad was killed and has not ended yet", said);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(fd);
	close_bus(bus);
	ASSERT_TRUE(is_taken_over());
	end_and_finish("stop retire destroy close");
}

/* The state file as the first layout had it, in numbers of that time */
struct first_layout {
	char magic[8];
	uint64_t size;
	uint64_t log_tail;
	uint64_t started_usec;
	uint32_t vsock_cid;
	uint32_t text_len;
	uint32_t starter;
	uint32_t restarting;
	char file[4096];
	char text[65536];
	uint8_t request[248];
	struct {
		uint32_t device_id, nr_queues, doorbell, leaving;
		uint32_t status, generation, broken, failed;
		uint64_t negotiated;
		struct {
			uint32_t size;
			uint16_t last_avail, used_idx;
			uint64_t desc, avail, used;
			uint64_t in_flight[16];
			uint16_t pushed[1024];
		} queue[32];
	} device[64];
	struct {
		uint32_t kind, slot, line, reserved;
		char keys[4096];
	} record[64];
};

/* Write the state file of the first layout that says the same as the present one */
static bool make_older(const struct guest_state *state)
{
	struct first_layout *old = calloc(1, sizeof(*old));
	char file[RUNDIR_PATH_MAX];
	bool made;
	int fd;

	memcpy(old->magic, "SGSTATE1", sizeof(old->magic));
	old->size = sizeof(*old);
	old->log_tail = state->log_tail;
	old->started_usec = state->started_usec;
	old->vsock_cid = state->vsock_cid;
	old->text_len = state->text_len;
	old->starter = state->starter;
	old->restarting = state->restarting;
	strcpy(old->file, state->file);
	memcpy(old->text, state->text, state->text_len);
	memcpy(old->request, state->devices.request, sizeof(old->request));
	for (size_t i = 0; i < sizeof(old->device) / sizeof(*old->device); i++) {
		const struct device_state *device = &state->devices.device[i];

		old->device[i].device_id = device->device_id;
		old->device[i].nr_queues = device->nr_queues;
		old->device[i].doorbell = device->doorbell;
		old->device[i].leaving = device->leaving;
		old->device[i].status = device->status;
		old->device[i].generation = device->generation;
		old->device[i].broken = device->broken;
		old->device[i].failed = device->failed;
		old->device[i].negotiated = device->negotiated;
		for (size_t q = 0; q < SIGMA_QUEUES; q++) {
			const struct queue_state *queue = &device->queue[q];

			old->device[i].queue[q].size = queue->size;
			old->device[i].queue[q].last_avail = queue->last_avail;
			old->device[i].queue[q].used_idx = queue->used_idx;
			old->device[i].queue[q].desc = queue->desc;
			old->device[i].queue[q].avail = queue->avail;
			old->device[i].queue[q].used = queue->used;
			memcpy(old->device[i].queue[q].in_flight, queue->in_flight,
			       sizeof(queue->in_flight));
			memcpy(old->device[i].queue[q].pushed, queue->pushed,
			       sizeof(queue->pushed));
		}
		old->record[i].kind = state->record[i].kind;
		old->record[i].slot = state->record[i].slot;
		old->record[i].line = state->record[i].line;
		strcpy(old->record[i].keys, state->record[i].keys);
	}
	rundir_path(file, HOST_GUEST, STATE_FILE);
	unlink(file);
	fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	made = write(fd, old, sizeof(*old)) == sizeof(*old);
	close(fd);
	free(old);
	return made;
}

TEST(taken_over_with_the_first_layout)
{
	struct guest_state *left;
	struct queue_state *queue;
	char file[RUNDIR_PATH_MAX];
	int fd;

	ASSERT_TRUE(leave_guest(true));
	fd = open_state();
	left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_TRUE(left != MAP_FAILED);
	/* Fields of a device that is not there, the last one, show that all arrives in its place */
	left->restarting = 1;
	queue = &left->devices.device[SIGMA_DEVICES - 1].queue[SIGMA_QUEUES - 1];
	left->devices.device[SIGMA_DEVICES - 1].failed = EIO;
	left->devices.device[SIGMA_DEVICES - 1].negotiated = 1ULL << 40;
	queue->last_avail = 17;
	queue->used = HOST_PHYS;
	queue->in_flight[VIRTQUEUE_SIZE_MAX / 64 - 1] = 1ULL << 63;
	queue->pushed[VIRTQUEUE_SIZE_MAX - 1] = 1023;
	strcpy(left->record[SIGMA_DEVICES - 1].keys, "Path=/srv/last\n");
	ASSERT_TRUE(make_older(left));

	capture_start();
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	said = capture_end();
	files -= 3;			/* the state file and the capture, which are closed now */
	EXPECT_SAID("read the state that an older sigmad left (layout 1)", said);
	EXPECT_EQ(0, memcmp(left, supervisor.machine.state, sizeof(*left)));
	/* The file that is there now is of the present layout, and locked */
	close(fd);
	fd = open_state();
	EXPECT_EQ(-1, flock(fd, LOCK_EX | LOCK_NB));
	EXPECT_EQ(sizeof(*left), lseek(fd, 0, SEEK_END));
	rundir_path(file, HOST_GUEST, STATE_FILE_NEW);
	EXPECT_EQ(-1, access(file, F_OK));
	close(fd);
	munmap(left, sizeof(*left));

	supervisor.machine.state->restarting = 0;
	ASSERT_EQ(0, make());
	EXPECT_SAID("took over the guest from a sigmad that died", said);
	EXPECT_EQ(0, run());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

/* Without room for the new file, the old one stays for the next try */
TEST(first_layout_without_room)
{
	struct guest_state *left;
	struct stat st;
	int fd;

	ASSERT_TRUE(leave_guest(true));
	noted();
	fd = open_state();
	left = mmap(NULL, sizeof(*left), PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_TRUE(left != MAP_FAILED);
	ASSERT_TRUE(make_older(left));
	close(fd);
	munmap(left, sizeof(*left));
	fallocate_error = ENOSPC;
	EXPECT_EQ(-ENOSPC, found());
	fallocate_error = 0;
	EXPECT_SAID("cannot take the guest over: state: No space left", said);
	fd = open_state();
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(sizeof(struct first_layout), st.st_size);
	close(fd);
	ASSERT_TRUE(is_taken_over());
	end_and_finish("stop retire destroy close");
}

/* The older sigmad leaves the guest to a newer one, and says to which */
TEST(not_taken_over_with_a_newer_layout)
{
	static const char newer[] = "SGSTATE3" "\0\0\1\0\0\0\0\0" "7.8.9\0\0\0\0\0\0\0\0\0\0";
	char file[RUNDIR_PATH_MAX], kept[sizeof(newer) - 1];
	int fd;

	ASSERT_TRUE(leave_guest(true));
	noted();
	rundir_path(file, HOST_GUEST, STATE_FILE);
	fd = open(file, O_TRUNC | O_RDWR | O_CLOEXEC);
	ASSERT_EQ(sizeof(kept), write(fd, newer, sizeof(kept)));
	EXPECT_EQ(-ESTALE, found());
	EXPECT_SAID("its state file has layout 3 of sigmad 7.8.9, and this is sigmad " SIGMA_VERSION,
		    said);
	EXPECT_SAID("the guest runs on: install sigmad 7.8.9 again", said);
	EXPECT_EQ(sizeof(kept), pread(fd, kept, sizeof(kept), 0));
	EXPECT_EQ(0, memcmp(newer, kept, sizeof(kept)));
	close(fd);
	host_empty();
	host.exists = false;
}

TEST(taken_over_after_a_panic)
{
	ASSERT_TRUE(leave_guest(true));
	host.state = SIGMA_STATE_PANICKED;
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_SAID("the guest panicked", said);
	EXPECT_EQ(0, run());
	EXPECT_EQ(SUPERVISOR_GUEST_FAILED, loop());
	EXPECT_STREQ("open panicked ending", noted());
	end_and_finish("stop retire destroy close");
}

/* A guest that wants to reboot is stopped first. The sigmad that was to start it again has died */
TEST(taken_over_while_it_restarts)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!begin((struct supervisor_options)SERVICE) || make() || run())
			_exit(1);
		host.load_dies = true;
		CHANGE(REBOOT);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	host.exists = true;
	host.state = SIGMA_STATE_STOPPED;
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_SAID("the guest restarts", said);
	EXPECT_STREQ("open stop load start booting patience", noted());
	ASSERT_EQ(0, run());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running ready", noted());
	/* Only once */
	EXPECT_FALSE(supervisor.machine.state->restarting);
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(taken_over_after_somebody_stopped_it)
{
	ASSERT_TRUE(leave_guest(true));
	host.state = SIGMA_STATE_STOPPED;
	ASSERT_TRUE(begin((struct supervisor_options)SERVICE));
	ASSERT_EQ(0, make());
	EXPECT_SAID("the guest was stopped by somebody else", said);
	EXPECT_EQ(0, run());
	EXPECT_EQ(EXIT_FAILURE, loop());
	EXPECT_STREQ("open stopped ending", noted());
	end_and_finish("stop retire destroy close");
}

/* The last sigmad died in the moment of the first start: it is not started twice */
TEST(taken_over_while_it_boots)
{
	ASSERT_TRUE(leave_guest(false));
	host.state = SIGMA_STATE_BOOTING;
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ("open booting ready", noted());
	ASSERT_EQ(0, run());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST(taken_over_before_it_was_started)
{
	ASSERT_TRUE(leave_guest(false));
	ASSERT_TRUE(begin((struct supervisor_options)FOR_PEOPLE));
	ASSERT_EQ(0, make());
	EXPECT_STREQ("load open created", noted());
	ASSERT_EQ(0, run());
	EXPECT_STREQ("start booting ready", noted());
	EXPECT_EQ(GOES_ON, CHANGE(RUNNING));
	EXPECT_STREQ("running", noted());
	EXPECT_EQ(EXIT_SUCCESS, CHANGE(POWEROFF));
	noted();
	end_and_finish("stop retire destroy close");
}

TEST_HARNESS_MAIN
