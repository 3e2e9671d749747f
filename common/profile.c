// SPDX-License-Identifier: GPL-2.0
/*
 * Reads profiles with inih: see profile.h. inih counts no lines, so it gets them from next_line().
 *
 * Most settings become words of the guest's command line, also a sysctl: the kernel obeys
 * sysctl.NAME=VALUE before it starts the first program, whatever that is. It logs a sysctl that it
 * does not have. No word can end the parameters of the kernel, or hide those of SIGMA behind a
 * quotation mark.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "parse.h"
#include "profile.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))
#define LINE_SIZE	200	/* of inih's buffer (INI_MAX_LINE) */
#define HUGE_PAGES_MAX	(1UL << 30)
#define READAHEAD_UNIT	4096U
#define READAHEAD_MAX	(16ULL << 20)

/**
 * struct reader - state of the reading of one file
 * @words: the words so far, each behind a blank
 * @seen: bit n: key n was given
 * @error: negative errno, if there was a mistake
 */
struct reader {
	FILE *file;
	const char *path;
	unsigned int line;
	struct guest_profile *profile;
	FILE *words;
	unsigned int seen;
	int error;
};

static void __attribute__((format(printf, 2, 3)))
wrong(struct reader *reader, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	reader->error = log_error(-EINVAL, "%s:%u: %s", reader->path, reader->line, text);
}

/*
 * Words that the kernel takes as they are. Their quotation marks are closed, and none is "--". The
 * byte 0xa0 is a blank to the kernel (lib/ctype.c)
 */
static bool are_words(const char *text)
{
	bool quoted = false, first = true;

	for (; *text; text++) {
		if ((iscntrl((unsigned char)*text) && *text != '\t') || *text == '\xa0')
			return false;
		if (first && !quoted && (!strncmp(text, "--", 2) || !strncmp(text, "\"--", 3)) &&
		    strchr(" \t\"", text[*text == '"' ? 3 : 2]))
			return false;
		first = isblank((unsigned char)*text);
		if (*text == '"')
			quoted = !quoted;
	}
	return !quoted;
}

/* One of the words of a list that ends with NULL; reports another one */
static bool is_one_of(struct reader *reader, const char *key, const char *value,
		      const char *const *list)
{
	char known[128] = "";
	size_t len = 0;

	for (size_t i = 0; list[i]; i++) {
		if (!strcmp(value, list[i]))
			return true;
		len += snprintf(known + len, sizeof(known) - len, "%s%s",
				!i ? "" : list[i + 1] ? ", " : " and ", list[i]);
	}
	wrong(reader, "%s=%s: none of %s; give one of them", key, value, known);
	return false;
}

static void set_summary(struct reader *reader, const char *value)
{
	free(reader->profile->summary);
	reader->profile->summary = strdup(value);
}

static void set_cmdline(struct reader *reader, const char *value)
{
	if (are_words(value))
		fprintf(reader->words, " %s", value);
	else
		wrong(reader, "CommandLine=%s: a quotation mark is not closed, or there is a word --, which ends the kernel's own; correct the words",
		      value);
}

static void set_tick(struct reader *reader, const char *value)
{
	static const char *const names[] = { "full", "idle", "periodic", NULL };

	if (!is_one_of(reader, "Tick", value, names))
		return;
	/* Which CPUs have none is known when the guest has its CPUs */
	reader->profile->full_tick = !strcmp(value, names[0]);
	fprintf(reader->words, " nohz=%s", strcmp(value, names[2]) ? "on" : "off");
}

static void set_mitigations(struct reader *reader, const char *value)
{
	static const char *const names[] = { "auto", "off", NULL };

	if (is_one_of(reader, "Mitigations", value, names))
		fprintf(reader->words, " mitigations=%s", value);
}

static void set_huge_pages(struct reader *reader, const char *value)
{
	struct guest_profile *profile = reader->profile;
	unsigned long number;
	bool percent;
	char *end;

	errno = 0;
	number = strtoul(value, &end, 10);
	percent = *end == '%';
	if (!isdigit((unsigned char)*value) || errno || end[percent] || !number ||
	    number > (percent ? PROFILE_HUGE_PERCENT_MAX : HUGE_PAGES_MAX))
		wrong(reader, "HugePages=%s: give the number of pages, or a part of the guest's memory, 1%% to %u%%",
		      value, PROFILE_HUGE_PERCENT_MAX);
	else if (percent)
		profile->huge_percent = number;
	else
		profile->huge_pages = number;
}

static void set_huge_size(struct reader *reader, const char *value)
{
	static const char *const names[] = { "2M", "1G", NULL };

	if (is_one_of(reader, "HugePageSize", value, names))
		reader->profile->huge_1g = !strcmp(value, names[1]);
}

static void set_transparent(struct reader *reader, const char *value)
{
	static const char *const names[] = { "always", "madvise", "never", NULL };

	if (is_one_of(reader, "TransparentHugePages", value, names))
		fprintf(reader->words, " transparent_hugepage=%s", value);
}

int profile_cache_from_name(const char *name)
{
	static const char *const names[] = {
		[CACHE_AUTO] = "auto", [CACHE_ALWAYS] = "always", [CACHE_NEVER] = "never",
	};

	for (size_t i = CACHE_AUTO; i < COUNT(names); i++)
		if (!strcmp(name, names[i]))
			return i;
	return -EINVAL;
}

static void set_cache(struct reader *reader, const char *value)
{
	int cache = profile_cache_from_name(value);

	if (cache < 0)
		wrong(reader, "Cache=%s: none of auto, always and never; give one of them", value);
	else
		reader->profile->cache = cache;
}

/* For guest/init, which mounts these shares */
static void set_readahead(struct reader *reader, const char *value)
{
	uint64_t size;
	char *end;

	if (parse_size(value, &end, &size) || *end || size % READAHEAD_UNIT || size > READAHEAD_MAX)
		wrong(reader, "ReadAhead=%s: give a multiple of 4K, up to %lluM", value,
		      READAHEAD_MAX >> 20);
	else
		fprintf(reader->words, " sigma.readahead=%llu", (unsigned long long)size >> 10);
}

/* A sysctl has any name; only the guest's kernel knows which there are */
static void set_sysctl(struct reader *reader, const char *name, const char *value)
{
	bool valid = strchr(name, '.') || strchr(name, '/');

	for (const char *at = name; *at; at++)
		valid = valid && (isalnum((unsigned char)*at) || strchr("._-/", *at));
	if (!valid)
		wrong(reader, "%s=: no name of a sysctl; write it as sysctl(8) does, as in vm.swappiness",
		      name);
	else if (!*value || strchr(value, '"') || !are_words(value))
		wrong(reader, "%s=%s: no value of a sysctl; write it without quotation marks", name,
		      value);
	else
		fprintf(reader->words, " %ssysctl.%s=%s%s", strpbrk(value, " \t") ? "\"" : "", name,
			value, strpbrk(value, " \t") ? "\"" : "");
}

#define SYSCTL		"Sysctl"
#define CMDLINE		"CommandLine"

static const struct {
	const char *section, *key;
	void (*set)(struct reader *reader, const char *value);
} keys[] = {
	{ "Profile", "Summary", set_summary },
	{ "Kernel", CMDLINE, set_cmdline },
	{ "Kernel", "Tick", set_tick },
	{ "Kernel", "Mitigations", set_mitigations },
	{ "Memory", "HugePages", set_huge_pages },
	{ "Memory", "HugePageSize", set_huge_size },
	{ "Memory", "TransparentHugePages", set_transparent },
	{ "Share", "Cache", set_cache },
	{ "Share", "ReadAhead", set_readahead },
};

static bool is_section(const char *name)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if (!strcmp(name, keys[i].section))
			return true;
	return !strcmp(name, SYSCTL);
}

static void unknown_key(struct reader *reader, const char *section, const char *name)
{
	char known[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < COUNT(keys); i++)
		if (!strcmp(section, keys[i].section))
			len += snprintf(known + len, sizeof(known) - len, " %s=", keys[i].key);
	wrong(reader, "%s=: no setting of [%s]; it has%s", name, section, known);
}

/* inih's handler. It never fails, since wrong() remembers that there was a mistake */
static int take_key(void *data, const char *section, const char *name, const char *value)
{
	struct reader *reader = data;
	size_t i = 0;

	if (!*section)
		wrong(reader, "%s=: is in no section; put [Kernel], [Memory], [Sysctl] or [Share] above it",
		      name);
	if (!is_section(section))
		return 1;	/* next_line() has reported it */
	if (!strcmp(section, SYSCTL)) {
		set_sysctl(reader, name, value);
		return 1;
	}
	while (i < COUNT(keys) && (strcmp(section, keys[i].section) || strcmp(name, keys[i].key)))
		i++;
	if (i == COUNT(keys)) {
		unknown_key(reader, section, name);
	} else if (reader->seen & 1U << i && strcmp(name, CMDLINE)) {
		wrong(reader, "%s=: a second time; leave one of them out", name);
	} else {
		reader->seen |= 1U << i;
		keys[i].set(reader, value);
	}
	return 1;
}

/* inih's reader. It takes what is behind a blank for a further value of the key above */
static char *next_line(char *line, int size, void *data)
{
	struct reader *reader = data;
	char *start, *end;
	int c;

	if (!fgets(line, size, reader->file))
		return NULL;
	reader->line++;
	start = line + strspn(line, " \t");
	if (!strchr(line, '\n') && !feof(reader->file)) {
		while ((c = fgetc(reader->file)) != EOF && c != '\n')
			;
		if (!strchr("#;", *start))
			wrong(reader, "longer than %d characters; shorten it, or write a second line",
			      LINE_SIZE - 2);
		strcpy(line, "#\n");
		return line;
	}
	end = *start == '[' ? strchr(start, ']') : NULL;
	if (end) {
		*end = '\0';
		if (!is_section(start + 1))
			wrong(reader, "[%s]: no section of a profile; it has [Profile], [Kernel], [Memory], [Sysctl] and [Share]",
			      start + 1);
		*end = ']';
	}
	memmove(line, start, strlen(start) + 1);
	return line;
}

static void finish(struct reader *reader)
{
	const struct guest_profile *profile = reader->profile;

	if (profile->huge_1g && !profile->huge_pages && !profile->huge_percent)
		wrong(reader, "HugePageSize= without HugePages=; say how many there are to be, or leave it out");
}

/* Read the file, once, into @profile->text. 0 or a reported -errno */
static int read_text(struct guest_profile *profile, const char *path, int fd)
{
	struct stat st;
	size_t len = 0;
	ssize_t got;

	profile->text = calloc(1, PROFILE_MAX + 2);
	if (!profile->text)
		return log_error(-ENOMEM, "%s: no memory to read it", path);
	got = fstat(fd, &st) || !S_ISREG(st.st_mode) ? -1 : 1;
	while (got > 0 && len <= PROFILE_MAX) {
		got = read(fd, profile->text + len, PROFILE_MAX + 1 - len);
		len += got > 0 ? got : 0;
	}
	if (got < 0 || len > PROFILE_MAX || strlen(profile->text) != len)
		return log_error(-EINVAL, "%s: no text of at most %u bytes; this can't be a profile",
				 path, PROFILE_MAX);
	return 0;
}

static int parse(struct reader *reader)
{
	struct guest_profile *profile = reader->profile;
	/* fmemopen() rejects an empty text */
	const char *text = *profile->text ? profile->text : "\n";
	size_t len;
	int line;

	reader->file = fmemopen((void *)text, strlen(text), "r");
	reader->words = open_memstream(&profile->words, &len);
	if (!reader->file || !reader->words) {
		if (reader->words)
			fclose(reader->words);
		return log_error(-ENOMEM, "%s: no memory to read it", reader->path);
	}
	line = ini_parse_stream(next_line, reader, take_key, reader);
	if (line > 0) {
		reader->line = line;
		wrong(reader, "neither [Section] nor Key=value; correct it, or begin it with # to leave it out");
	}
	finish(reader);
	if ((fclose(reader->words) || line < 0) && !reader->error)
		return log_error(-EIO, "%s: cannot read it to its end", reader->path);
	return reader->error;
}

static bool is_name(const char *text)
{
	if (!isalnum((unsigned char)*text))
		return false;
	while (isalnum((unsigned char)*text) || *text == '_' || *text == '-')
		text++;
	return !*text;
}

int profile_path(const char *name, char path[PATH_MAX])
{
	static const char *const folders[] = { PROFILES_OWN, PROFILES_SHIPPED };

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		return access(path, F_OK) ? -ENOENT : 0;
	}
	for (size_t i = 0; is_name(name) && i < COUNT(folders); i++) {
		snprintf(path, PATH_MAX, "%s/%s" PROFILE_SUFFIX, folders[i], name);
		if (!access(path, F_OK))
			return 0;
	}
	return -ENOENT;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **add_names(char **names, unsigned int *nr, const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char **larger;

	while (folder && (entry = readdir(folder))) {
		const size_t len = strlen(entry->d_name), suffix = strlen(PROFILE_SUFFIX);
		bool known = false;

		if (len <= suffix || strcmp(entry->d_name + len - suffix, PROFILE_SUFFIX))
			continue;
		entry->d_name[len - suffix] = '\0';
		for (unsigned int i = 0; i < *nr; i++)
			known |= !strcmp(names[i], entry->d_name);
		if (known || !is_name(entry->d_name))
			continue;
		larger = reallocarray(names, *nr + 1, sizeof(*names));
		if (!larger)
			break;
		names = larger;
		names[*nr] = strdup(entry->d_name);
		*nr += !!names[*nr];
	}
	if (folder)
		closedir(folder);
	return names;
}

char **profile_names(unsigned int *nr)
{
	char **names;

	*nr = 0;
	names = add_names(NULL, nr, PROFILES_OWN);
	names = add_names(names, nr, PROFILES_SHIPPED);
	if (*nr)
		qsort(names, *nr, sizeof(*names), compare_names);
	return names;
}

void profile_names_free(char **names, unsigned int nr)
{
	while (nr)
		free(names[--nr]);
	free(names);
}

static void say_which(char *why, size_t size)
{
	unsigned int nr;
	char **names = profile_names(&nr);
	size_t len;

	len = snprintf(why, size, "no file of this name in " PROFILES_OWN " or " PROFILES_SHIPPED "; %s",
		       nr ? "give one of" : "there are none: install those of SIGMA, or write one");
	for (unsigned int i = 0; i < nr && len < size; i++)
		len += snprintf(why + len, size - len, "%s%s", i ? ", " : " ", names[i]);
	profile_names_free(names, nr);
}

int profile_load(struct guest_profile *profile, const char *name, char *why, size_t size)
{
	struct reader reader = { .profile = profile };
	char path[PATH_MAX];
	int error, fd;

	*profile = (struct guest_profile) {};
	if (profile_path(name, path)) {
		say_which(why, size);
		return -ENOENT;
	}
	reader.path = path;
	/* O_NONBLOCK: it may be a pipe */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return log_error(-errno, "%s: %m; change its permissions", path);
	profile->name = strdup(name);
	error = profile->name ? read_text(profile, path, fd) ?: parse(&reader) :
		log_error(-ENOMEM, "no memory");
	close(fd);
	if (reader.file)
		fclose(reader.file);
	if (error)
		profile_free(profile);
	return error;
}

void profile_free(struct guest_profile *profile)
{
	free(profile->name);
	free(profile->words);
	free(profile->summary);
	free(profile->text);
	*profile = (struct guest_profile) {};
}
