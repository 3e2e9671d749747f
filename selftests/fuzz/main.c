// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a fuzz target without libFuzzer:
 *
 *	TARGET				its cases and some generated inputs, as TAP
 *	TARGET FILE|FOLDER|- ...	these inputs; for AFL: afl-fuzz -i CORPUS -o OUT TARGET @@
 *	TARGET --seconds N [--seed S]	generated inputs for that long
 *	TARGET --corpus FOLDER		its cases as files, for libFuzzer and AFL to begin with
 *
 * A generated input depends only on the seed and its number. An input that fails is written to
 * $TMPDIR, and can be given as FILE.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX	8192
#define SECONDS_MAX	20		/* for one input, sanitized and on a busy machine */


static const char *target;		/* its name */
static const char *running;		/* name of the input that runs */
static const uint8_t *input;
static size_t input_size;

/* Options of the sanitizers: abort() also gives a stack trace and calls on_death() */
const char *__asan_default_options(void)
{
	return "handle_abort=1";
}

void __sanitizer_set_death_callback(void (*callback)(void));

static void save(const char *path, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
}

static void on_death(void)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];

	if (!running)
		return;
	snprintf(path, sizeof(path), "%s/fuzz-%s-%s", dir ?: "/tmp", target, running);
	fprintf(stderr, "%s: input \"%s\" failed; to run it again: %s %s\n", target, running,
		target, path);
	save(path, input, input_size);
}

static void on_alarm(int signal)
{
	static const char text[] = "an input takes too long\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		abort();
}

static void run(const char *name, const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan finds reads beyond the input */
	uint8_t *copy = malloc(size ?: 1);

	memcpy(copy, data, size);
	running = name;
	input = copy;
	input_size = size;
	alarm(SECONDS_MAX);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	running = NULL;
	free(copy);
}

/* Generated inputs */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	/* xorshift64* */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 32) % limit;
}

static uint8_t random_byte(void)
{
	static const uint8_t often[] = { 0, 0, 1, 2, 3, 4, 8, 16, 0x7f, 0x80, 0xfe, 0xff };

	return random_below(2) ? random_below(16) : random_below(3) ? random_below(256) :
	       often[random_below(sizeof(often))];
}

static size_t append(uint8_t *to, size_t size, const uint8_t *from, size_t len)
{
	if (len > INPUT_MAX - size)
		len = INPUT_MAX - size;
	memmove(to + size, from, len);
	return size + len;
}

static size_t append_random(uint8_t *to, size_t size)
{
	uint8_t noise[256];
	size_t len = 1 + random_below(sizeof(noise));

	for (size_t i = 0; i < len; i++)
		noise[i] = random_byte();
	return append(to, size, noise, len);
}

static size_t append_case(uint8_t *to, size_t size, unsigned int nr_cases)
{
	const struct fuzz_case *from = fuzz_cases;

	for (unsigned int i = random_below(nr_cases); i; i--)
		from = from->next;
	return append(to, size, from->data, from->size);
}

/* Change, remove or repeat some bytes */
static size_t mutate(uint8_t *data, size_t size)
{
	size_t at = random_below(size), len = 1 + random_below(16);

	if (len > size - at)
		len = size - at;
	switch (random_below(4)) {
	case 0:
		data[at] ^= 1 << random_below(8);
		return size;
	case 1:
		data[at] = random_byte();
		return size;
	case 2:
		memmove(data + at, data + at + len, size - at - len);
		return size - len;
	default:
		return append(data, size, data + at, len);
	}
}

static size_t generate(uint8_t *data, uint64_t seed, uint64_t number, unsigned int nr_cases)
{
	size_t size = 0;

	random_state = (seed + 1) * 0x9e3779b97f4a7c15ULL ^ (number + 1) * 0xbf58476d1ce4e5b9ULL;
	for (unsigned int i = 0; i < 8; i++)
		random_below(1);

	for (unsigned int i = random_below(4); i; i--)
		size = append_case(data, size, nr_cases);
	if (!size || random_below(2))
		size = append_random(data, size);
	for (unsigned int i = random_below(2) ? random_below(12) : 0; i && size; i--)
		size = mutate(data, size);
	return size;
}

static void run_generated(uint64_t seed, uint64_t number, unsigned int nr_cases)
{
	static uint8_t data[INPUT_MAX];
	char name[64];

	snprintf(name, sizeof(name), "%llu-%llu", (unsigned long long)seed,
		 (unsigned long long)number);
	run(name, data, generate(data, seed, number, nr_cases));
}

/* The modes of this program */

static int run_tests(unsigned int nr_cases)
{
	unsigned int number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", nr_cases + 1);
	for (const struct fuzz_case *test = fuzz_cases; test; test = test->next) {
		run(test->name, test->data, test->size);
		printf("ok %u %s\n", ++number, test->name);
	}
	for (unsigned int i = 0; i < fuzz_inputs; i++)
		run_generated(0, i, nr_cases);
	printf("ok %u %u_generated_inputs\n", ++number, fuzz_inputs);
	return 0;
}

static int run_for(unsigned long seconds, uint64_t seed, unsigned int nr_cases)
{
	time_t end = time(NULL) + seconds;
	uint64_t nr = 0;

	printf("%s: seed %llu\n", target, (unsigned long long)seed);
	fflush(stdout);
	while (time(NULL) < end)
		run_generated(seed, nr++, nr_cases);
	printf("%s: %llu inputs\n", target, (unsigned long long)nr);
	return 0;
}

static int run_stream(FILE *file, const char *name)
{
	static uint8_t data[1 << 20];
	size_t size = fread(data, 1, sizeof(data), file);

	run(name, data, size);
	return 0;
}

static int run_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	FILE *file;
	int nr;

	if (!strcmp(path, "-"))
		return run_stream(stdin, "stdin");
	if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
		nr = scandir(path, &names, NULL, alphasort);
		for (int i = 0; i < nr; i++) {
			char inside[PATH_MAX];

			snprintf(inside, sizeof(inside), "%s/%s", path, names[i]->d_name);
			if (*names[i]->d_name != '.' && run_path(inside))
				return 1;
			free(names[i]);
		}
		free(names);
		return 0;
	}
	file = fopen(path, "r");
	if (!file) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		return 1;
	}
	run_stream(file, basename(path));
	fclose(file);
	return 0;
}

static int write_corpus(const char *dir)
{
	char path[PATH_MAX];

	if (mkdir(dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "cannot make %s: %s\n", dir, strerror(errno));
		return 1;
	}
	for (const struct fuzz_case *from = fuzz_cases; from; from = from->next) {
		snprintf(path, sizeof(path), "%s/%s", dir, from->name);
		save(path, from->data, from->size);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *seconds = NULL;
	uint64_t seed = time(NULL);
	unsigned int nr_cases = 0;
	int ret = 0;

	target = basename(argv[0]);
	for (const struct fuzz_case *from = fuzz_cases; from; from = from->next)
		nr_cases++;
	__sanitizer_set_death_callback(on_death);
	signal(SIGALRM, on_alarm);

	if (argc == 1)
		return run_tests(nr_cases);
	for (int i = 1; i < argc && !ret; i++) {
		if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			seconds = argv[++i];
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--corpus") && i + 1 < argc)
			ret = write_corpus(argv[++i]);
		else
			ret = run_path(argv[i]);
	}
	return seconds && !ret ? run_for(strtoul(seconds, NULL, 0), seed, nr_cases) : ret;
}
