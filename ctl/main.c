// SPDX-License-Identifier: GPL-2.0
/*
 * sigmactl: the command line. This file has the options and the help of all verbs. Each verb has a
 * file of its own.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../common/agent.h"
#include "../common/log.h"
#include "../common/output.h"
#include "../common/version.h"
#include "ctl.h"
#include "users.h"

#define TIMEOUT_SEC_MAX	86400
#define LINES_MAX	1000000

#define VERB(name)	&verb_##name,

static const struct verb *const verbs[] = { VERBS(VERB_NO_TITLE, VERB) };

#define NR_VERBS (sizeof(verbs) / sizeof(*verbs))

/* Options without a letter */
enum { VERSION = 256, NO_LEGEND, READ_ONLY, FORCE, VALUE, PROMETHEUS, REPORT, TTY, NO_TTY, USER, WORKDIR, ENV,
       KEEP_CORES, KEEP, FOR, UNTIL, COPY, SHARED };

static const struct {
	struct option option;
	unsigned int bit;		/* OPT_*; 0: every verb takes it */
	const char *help;
} known[] = {
	{ { "json", no_argument, NULL, 'j' }, OPT_JSON,
	  "  -j, --json            print JSON, for programs" },
	{ { "no-legend", no_argument, NULL, NO_LEGEND }, OPT_NO_LEGEND,
	  "      --no-legend       print no header and no summary" },
	{ { "timeout", required_argument, NULL, 't' }, OPT_TIMEOUT,
	  "  -t, --timeout=SEC     how long to wait, in seconds" },
	{ { "state", required_argument, NULL, 's' }, OPT_STATE,
	  "  -s, --state=STATE     the state to wait for" },
	{ { "follow", no_argument, NULL, 'f' }, OPT_FOLLOW,
	  "  -f, --follow          continue with new lines" },
	{ { "lines", required_argument, NULL, 'n' }, OPT_LINES,
	  "  -n, --lines=N         print the last N lines" },
	{ { "memory", no_argument, NULL, 'm' }, OPT_MEMORY,
	  "  -m, --memory          read the guest kernel's own log buffer" },
	{ { "read-only", no_argument, NULL, READ_ONLY }, OPT_READ_ONLY,
	  "      --read-only       add: the guest cannot write to it" },
	{ { "force", no_argument, NULL, FORCE }, OPT_FORCE,
	  "      --force           rm: also a device that the guest has in use; save: overwrite the\n"
	  "                        file; restore: also if a disk was changed" },
	{ { "report", no_argument, NULL, REPORT }, OPT_REPORT,
	  "      --report          also print what a bug report needs" },
	{ { "all", no_argument, NULL, 'a' }, OPT_ALL,
	  "  -a, --all             also show guest files without a guest" },
	{ { "property", required_argument, NULL, 'p' }, OPT_PROPERTY,
	  "  -p, --property=KEY    only this property; may be repeated" },
	{ { "keep-cores", no_argument, NULL, KEEP_CORES }, OPT_KEEP_CORES,
	  "      --keep-cores      do not give its CPUs back to the host" },
	{ { "keep", no_argument, NULL, KEEP }, OPT_KEEP,
	  "      --keep            do not give the guest up" },
	{ { "copy", required_argument, NULL, COPY }, OPT_COPY,
	  "      --copy=NAME       make a guest of this name, which is a copy" },
	{ { "for", required_argument, NULL, FOR }, OPT_FOR,
	  "      --for=SPAN        wake it after 90s, 10min, 8h or 2d, for example" },
	{ { "until", required_argument, NULL, UNTIL }, OPT_UNTIL,
	  "      --until=TIME      wake it at 18:30, or '2030-01-31 18:30', for example" },
	{ { "shared", no_argument, NULL, SHARED }, OPT_SHARED,
	  "      --shared          who holds what of its memory objects" },
	{ { "value", no_argument, NULL, VALUE }, OPT_VALUE,
	  "      --value           print values without their KEY=" },
	{ { "watch", no_argument, NULL, 'w' }, OPT_WATCH,
	  "  -w, --watch           print it again each second, until Ctrl-C" },
	{ { "prometheus", no_argument, NULL, PROMETHEUS }, OPT_PROMETHEUS,
	  "      --prometheus      print the format that Prometheus reads" },
	{ { "escape", required_argument, NULL, 'e' }, OPT_ESCAPE,
	  "  -e, --escape=KEY      the key that leaves: ^] or ^A, for example; or none" },
	{ { "user", required_argument, NULL, USER }, OPT_USER,
	  "  -u, --user=USER       as this user of the guest: USER or USER:GROUP" },
	{ { "workdir", required_argument, NULL, WORKDIR }, OPT_WORKDIR,
	  "  -w, --workdir=FOLDER  in this folder of the guest" },
	{ { "env", required_argument, NULL, ENV }, OPT_ENV,
	  "  -e, --env=NAME=VALUE  a variable; NAME alone has the value that it has here" },
	{ { "tty", no_argument, NULL, TTY }, OPT_TTY,
	  "  -t, --tty             with a terminal, also if stdout is none" },
	{ { "no-tty", no_argument, NULL, NO_TTY }, OPT_NO_TTY,
	  "  -T, --no-tty          without a terminal, also if stdout is one" },
	{ { "help", no_argument, NULL, 'h' }, 0,
	  "  -h, --help            print this help" },
	{ { "version", no_argument, NULL, VERSION }, 0,
	  "      --version         print the version" },
};

#define NR_KNOWN (sizeof(known) / sizeof(*known))

/* Verbs that run a program have letters of their own, those of podman and ssh */
static const struct {
	char letter;
	int option;
} program_letters[] = { { 't', TTY }, { 'T', NO_TTY }, { 'u', USER }, { 'w', WORKDIR }, { 'e', ENV } };

static void help_line(const struct verb *verb)
{
	printf("  %-8s %-15s  %s\n", verb->name, verb->args, verb->summary);
}

#define HELP_TITLE(title)	puts("\n" title ":");
#define HELP_VERB(name)		help_line(&verb_##name);

static void help_program(void)
{
	puts("Usage: sigmactl VERB [OPTION]... [NAME]\n"
	     "Run a second, unmodified Linux kernel beside this one, on CPUs and memory that this\n"
	     "one lends.");
	VERBS(HELP_TITLE, HELP_VERB)
	puts("\n"
	     "A first guest:\n"
	     "  sigmactl check            is this machine fit for it?\n"
	     "  modprobe sigma\n"
	     "  sigmactl edit demo        such as\n"
	     "      [Guest]\n"
	     "      CommandLine=root=/dev/vda rw\n"
	     "      [Disk]\n"
	     "      Path=/var/lib/sigma/demo.img\n"
	     "  sigmactl start demo\n"
	     "  sigmactl console demo     Ctrl-] leaves\n"
	     "  sigmactl stop demo        CPU and memory are back\n"
	     "\n"
	     "'sigmactl help VERB' or 'sigmactl VERB --help' explains one verb, 'man sigmactl' all of\n"
	     "them. Output to a terminal has colours, unless $NO_COLOR is set.\n"
	     "\n"
	     "Exit status: 0 success, 1 failure, 2 wrong usage, 3 no such guest, 4 timed out. 'run'\n"
	     "has more, which tell how its guest ended; 'exec' and 'shell' have that of the program.");
}

static void help_verb(const struct verb *verb)
{
	printf("Usage: sigmactl %s%s%s%s\n%s.\n\n%s\nOptions:\n", verb->name,
	       verb->accepts ? " [OPTION]..." : "", *verb->args ? " " : "", verb->args,
	       verb->summary, verb->help);
	for (size_t i = 0; i < NR_KNOWN; i++)
		if (verb->accepts & known[i].bit || known[i].option.val == 'h')
			puts(known[i].help);
	if (verb->command_options)
		printf("\n%s", verb->command_options);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	return NULL;
}

/* The verb that is most similar to @name, or NULL */
static const struct verb *nearest_verb(const char *name)
{
	unsigned int least = strlen(name) < 4 ? 2 : 3;	/* so many changes are another word */
	const struct verb *nearest = NULL;

	for (size_t i = 0; i < NR_VERBS; i++) {
		unsigned int distance = text_distance(name, verbs[i]->name);

		if (distance < least) {
			least = distance;
			nearest = verbs[i];
		}
	}
	return nearest;
}

static int complain_verb(const char *name)
{
	const struct verb *nearest = nearest_verb(name);

	if (nearest)
		return complain(EXIT_USAGE, "there is no verb '%s'; did you mean '%s'? 'sigmactl --help' lists them all",
				name, nearest->name);
	return complain(EXIT_USAGE, "there is no verb '%s'; 'sigmactl --help' lists them", name);
}

static int parse_number(const char *option, const char *text, unsigned long max,
			unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || *end || *number > max)
		return complain(-EINVAL, "--%s=%s: give a whole number, at most %lu", option, text,
				max);
	return 0;
}

/* "^]" is Ctrl-], and so on for @, all letters and [\]^_ */
static int parse_key(const char *option, const char *text, int *key)
{
	int letter = *text ? toupper((unsigned char)text[1]) : 0;

	if (!strcmp(text, "none")) {
		*key = ESCAPE_NONE;
		return 0;
	}
	if (*text != '^' || letter < '@' || letter > '_' || text[2])
		return complain(-EINVAL, "--%s=%s: give ^ and a letter or one of @[\\]^_, such as ^A for Ctrl-A; or none",
				option, text);
	*key = letter - '@';
	return 0;
}

/* Put an option that getopt found into @options, or into @help for -h; 0 or a reported -EINVAL */
static int take_option(struct options *options, int opt, bool *help)
{
	unsigned long seconds;

	for (size_t i = 0; i < NR_KNOWN; i++)
		if (known[i].option.val == opt)
			options->given |= known[i].bit;

	switch (opt) {
	case 'h':
		*help = true;
		return 0;
	case 't':
		if (parse_number("timeout", optarg, TIMEOUT_SEC_MAX, &seconds))
			return -EINVAL;
		options->timeout = seconds * USEC_PER_SEC;
		return 0;
	case 'n':
		return parse_number("lines", optarg, LINES_MAX, &options->lines);
	case 's':
		options->state = optarg;
		return 0;
	case 'e':
		return parse_key("escape", optarg, &options->escape);
	case 'p':
		if (options->nr_properties == PROPERTIES_MAX)
			return complain(-EINVAL, "--property=%s: more than %u of them", optarg,
					PROPERTIES_MAX);
		options->properties[options->nr_properties++] = optarg;
		return 0;
	case COPY:
		options->copy = optarg;
		return 0;
	case FOR:
		if (!when_span(optarg, &options->span))
			return 0;
		return complain(-EINVAL, "--for=%s: give a whole number with s, min, h or d, at most a year",
				optarg);
	case UNTIL:
		if (!when_time(optarg, clock_now(CLOCK_REALTIME), &options->until))
			return 0;
		return complain(-EINVAL, "--until=%s: give a time that is to come, such as 18:30, '2030-01-31 18:30' or @SECONDS since 1970",
				optarg);
	case USER:
		options->user = optarg;
		return 0;
	case WORKDIR:
		options->workdir = optarg;
		return 0;
	case ENV:
		if (options->nr_env == VARIABLES_MAX)
			return complain(-EINVAL, "--env=%s: more than %u of them", optarg,
					VARIABLES_MAX);
		options->env[options->nr_env++] = optarg;
		return 0;
	case '?':
		return -EINVAL;		/* getopt has printed a message */
	default:
		return 0;
	}
}

static int check_options(const struct verb *verb, const struct options *options)
{
	for (size_t i = 0; i < NR_KNOWN; i++)
		if (options->given & known[i].bit & ~verb->accepts)
			return complain(-EINVAL, "%s takes no --%s; see 'sigmactl %s --help'",
					verb->name, known[i].option.name, verb->name);
	return 0;
}

static bool started;	/* the verb has begun: what it returns may be a program's status */

static int run(int argc, char **argv, const struct options *options, bool help)
{
	const struct verb *verb;

	/* "help VERB" is "VERB --help" */
	if (argc && argc <= 2 && !strcmp(argv[0], "help")) {
		help = true;
		argc--;
		argv++;
	}
	if (!argc) {
		if (help) {
			help_program();
			return EXIT_OK;
		}
		return complain(EXIT_USAGE, "say what to do; 'sigmactl --help' lists the verbs");
	}
	verb = find_verb(argv[0]);
	if (!verb)
		return complain_verb(argv[0]);
	if (help) {
		help_verb(verb);
		return EXIT_OK;
	}
	if (check_options(verb, options))
		return EXIT_USAGE;
	if (verb->more_args ? argc - 1 < verb->nr_args : argc - 1 != verb->nr_args)
		return complain(EXIT_USAGE, "usage: sigmactl %s%s%s; see 'sigmactl %s --help'",
				verb->name, *verb->args ? " " : "", verb->args, verb->name);
	started = true;
	return verb->run(options, argv + 1);
}

/* Options and arguments behind "--" of a verb that runs a command are the command's own */
static const struct verb *verb_of_command(int argc, char **argv)
{
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;

	for (int i = 2; verb && verb->run_command && i < argc; i++)
		if (!strcmp(argv[i], "--"))
			return verb;
	return NULL;
}

/*
 * "exec [OPTION]... NAME [--] COMMAND [ARGUMENT]...": what follows NAME belongs to the command, also
 * what looks like an option. A mistake here is no exit status of the command.
 */
static int command_with_program(int argc, char **argv)
{
	struct option long_options[NR_KNOWN + 1] = {};
	struct options options = { .escape = ESCAPE_DEFAULT };
	char *verb = argv[1], *program = argv[0];
	bool help = false;
	int opt, status;

	for (size_t i = 0; i < NR_KNOWN; i++)
		long_options[i] = known[i].option;
	argc--;
	argv++;
	argv[0] = program;	/* for messages of getopt */
	while ((opt = getopt_long(argc, argv, "+tTu:w:e:h", long_options, NULL)) != -1) {
		for (size_t i = 0; i < sizeof(program_letters) / sizeof(*program_letters); i++)
			if (opt == program_letters[i].letter)
				opt = program_letters[i].option;
		if (take_option(&options, opt, &help))
			return AGENT_STATUS_FAILED;
	}
	if (optind + 1 < argc && !strcmp(argv[optind + 1], "--")) {
		argv[optind + 1] = argv[optind];
		optind++;
	}
	argv[--optind] = verb;
	status = run(argc - optind, argv + optind, &options, help);
	return status == EXIT_USAGE && !started ? AGENT_STATUS_FAILED : status;
}

static int command(int argc, char **argv)
{
	struct option long_options[NR_KNOWN + 1] = {};
	struct options options = { .escape = ESCAPE_DEFAULT };
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	const struct verb *of_command = verb_of_command(argc, argv);
	bool help = false;
	int opt;

	if (of_command)
		return of_command->run_command(argc - 1, argv + 1);
	if (verb && verb->accepts & OPT_TTY)
		return command_with_program(argc, argv);
	for (size_t i = 0; i < NR_KNOWN; i++)
		long_options[i] = known[i].option;
	while ((opt = getopt_long(argc, argv, "jt:s:fn:map:we:h", long_options, NULL)) != -1) {
		if (opt == VERSION) {
			puts("sigmactl " SIGMA_VERSION);
			return EXIT_OK;
		}
		if (take_option(&options, opt, &help))
			return EXIT_USAGE;
	}
	return run(argc - optind, argv + optind, &options, help);
}

int main(int argc, char **argv)
{
	output_open();
	log_as("sigmactl");
	/* No verb: people start it by its socket */
	if (argc == 2 && !strcmp(argv[1], "--serve-users"))
		return users_serve();
	return output_close(command(argc, argv));
}
