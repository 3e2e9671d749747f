// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a guest file with inih. inih tells neither line numbers nor where a repeated section
 * begins. So it gets its lines from next_line(), which counts them and opens sections, and passes
 * the keys to guestkeys_set() in guestkeys.c. inih has room for 200 bytes. In place of a longer
 * line it gets one with the same key, and take_key() knows the value.
 *
 * Reading goes on after a mistake, so that a person sees all mistakes at once. guestfile_load()
 * returns the error of the first one.
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guestfile.h"
#include "guestparser.h"
#include "log.h"
#include "profile.h"

#define CONTROL_NAME		"control"	/* /dev/sigma/control is not a guest */
#define MEMORY_DEFAULT		(512ULL << 20)
#define BLANKS			" \t\n\v\f\r"
#define COUNT(array)		(sizeof(array) / sizeof(*(array)))

#define SECTION_NAME(name, member, section, ...)	[SECTION_##name] = #section,

const char *const guestfile_sections[SECTIONS] = {
	[SECTION_GUEST] = "Guest",
	GUEST_DEVICES(SECTION_NAME)
	[SECTION_CHANNEL] = "Channel",
};

void guestfile_mistake(struct parser *parser, unsigned int line, int error, const char *fmt, ...)
{
	char text[PATH_MAX + 512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	if (line || parser->single)
		log_error(error, "%s%s", guestfile_place(parser->config->file, line).text, text);
	else
		log_error(error, "%s: %s", parser->config->file, text);
	if (!parser->error)
		parser->error = error;
}

void guestfile_absent(struct parser *parser, unsigned int line, int error, const char *key,
		      const char *value, const char *remedy)
{
	if (!parser->absent || (error != -ENOENT && error != -ENXIO && error != -ENODEV))
		guestfile_mistake(parser, line, error, "%s%s: %s; %s", key, value, strerror(-error),
				  remedy);
	else if (!*parser->absent)
		snprintf(parser->absent, GUEST_ABSENT_MAX, "%s%s (%s:%u)", key, value,
			 parser->config->file, line);
}

/* The parser, and the value of the present line if that is too long for inih, or NULL */
struct reader {
	struct parser *parser;
	char *value;
};

/* inih's handler. It never fails, since guestfile_mistake() remembers that there was a mistake. */
static int take_key(void *data, const char *section __attribute__((unused)), const char *name,
		    const char *value)
{
	struct reader *reader = data;
	struct parser *parser = reader->parser;

	if (parser->skip)
		return 1;
	if (parser->section == SECTION_NONE)
		wrong(parser, -EINVAL, "%s=: is in no section; put [Guest] above it", name);
	else
		guestkeys_set(parser, name, reader->value ?: value);
	return 1;
}

static void unknown_section(struct parser *parser, const char *name, size_t len)
{
	char known[256] = "";
	size_t at = 0;

	for (size_t i = SECTION_GUEST; i < SECTIONS && at < sizeof(known); i++)
		at += snprintf(known + at, sizeof(known) - at, "%s[%s]", i == SECTION_GUEST ? "" :
			       i + 1 == SECTIONS ? " and " : ", ", guestfile_sections[i]);
	wrong(parser, -EINVAL, "[%.*s]: no section of a guest file; it has %s", (int)len, name,
	      known);
}

static void open_section(struct parser *parser, const char *name, size_t len)
{
	parser->section = SECTION_NONE;
	for (size_t i = SECTION_GUEST; i < COUNT(guestfile_sections); i++)
		if (strlen(guestfile_sections[i]) == len &&
		    !memcmp(guestfile_sections[i], name, len))
			parser->section = i;
	parser->seen = 0;
	parser->skip = true;

	switch (parser->section) {
	case SECTION_NONE:
		unknown_section(parser, name, len);
		return;
	case SECTION_GUEST:
		if (parser->guest_seen) {
			wrong(parser, -EINVAL, "a second [Guest]; put all its keys into one");
			return;
		}
		parser->guest_seen = true;
		break;
	case SECTION_CHANNEL:
		if (parser->config->nr_channels == SIGMA_CHANNELS) {
			wrong(parser, -EINVAL, "more than %u channels; leave some out",
			      SIGMA_CHANNELS);
			return;
		}
		parser->config->channel[parser->config->nr_channels++] = (struct guest_channel) {
			.group = GUEST_NO_GROUP, .mode = GUEST_CHANNEL_MODE, .line = parser->line,
		};
		break;
	default:
		if (!parser->no_devices)
			guestdevices_open(parser, guestdevices_kind(parser->section));
		return;
	}
	parser->skip = false;
}

/* Copy a value without a comment, and without the blanks around it, as inih does */
static char *copy_value(const char *text)
{
	const char *end;

	text += strspn(text, BLANKS);
	for (end = text; *end && !(*end == ';' && end > text && isspace((unsigned char)end[-1]));)
		end++;
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	return strndup(text, end - text);
}

/* Read the rest of a line that begins with @line, and replace it by one that inih has room for */
static void shorten_line(struct reader *reader, char *line, int size)
{
	struct parser *parser = reader->parser;
	char *rest = NULL, *whole = NULL;
	size_t room = 0, name;
	ssize_t len;

	len = getline(&rest, &room, parser->file);
	if ((len < 0 && !feof(parser->file)) ||
	    asprintf(&whole, "%s%s", line, len < 0 ? "" : rest) < 0) {
		wrong(parser, -ENOMEM, "no memory to read this file");
		whole = NULL;
		*line = '\0';
		goto free_rest;
	}
	name = strcspn(whole, "=:");
	if (strchr("#;", whole[strspn(whole, BLANKS)])) {	/* a comment, or nothing but blanks */
		*line = '\0';
	} else if (isspace((unsigned char)*whole)) {
		reader->value = copy_value(whole);
		strcpy(line, " x");
	} else if (*whole != '[' && whole[name] && (int)name < size - 4) {
		reader->value = copy_value(whole + name + 1);
		sprintf(line + name, "=x");
	} else {
		strcpy(line, "x");	/* inih says that it is no line of such a file */
	}
free_rest:
	free(whole);
	free(rest);
}

/* inih's reader */
static char *next_line(char *line, int size, void *data)
{
	struct reader *reader = data;
	struct parser *parser = reader->parser;
	const char *start, *end;

	free(reader->value);
	reader->value = NULL;
	if (!fgets(line, size, parser->file))
		return NULL;
	parser->line++;

	if (!strchr(line, '\n') && !feof(parser->file))
		shorten_line(reader, line, size);

	parser->indented = isspace((unsigned char)*line);
	start = line + strspn(line, " \t");
	if (*start == '[') {
		end = strchr(start, ']');
		if (end)
			open_section(parser, start + 1, end - start - 1);
		/* Remove the indent, by which inih would take it for a value of the key above */
		memmove(line, start, strlen(start) + 1);
	}
	return line;
}

/* A name is [A-Za-z0-9][A-Za-z0-9_.-]*, as in kmod/uapi/sigma.h */
bool guestfile_name_valid(const char *name, size_t len)
{
	if (!len || len >= SIGMA_NAME_MAX || !isalnum((unsigned char)*name))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return len != strlen(CONTROL_NAME) || memcmp(name, CONTROL_NAME, len);
}

int guestfile_find(const char *name_or_file, char name[SIGMA_NAME_MAX], char **file)
{
	const char *slash = strrchr(name_or_file, '/');
	const char *base = slash ? slash + 1 : name_or_file;
	size_t len = strlen(base), suffix = strlen(GUEST_SUFFIX);

	if (slash && len > suffix && !strcmp(base + len - suffix, GUEST_SUFFIX))
		len -= suffix;
	if (!guestfile_name_valid(base, len))
		return -EINVAL;
	memcpy(name, base, len);
	name[len] = '\0';

	if (slash)
		*file = strdup(name_or_file);
	else if (asprintf(file, GUEST_FILES "/%s" GUEST_SUFFIX, name) < 0)
		*file = NULL;
	return *file ? 0 : -ENOMEM;
}

/* Read @config->file into @config->text; 0 or a reported negative errno */
static int read_text(struct guest_config *config)
{
	FILE *file = fopen(config->file, "re");
	int error = 0;
	struct stat st;

	if (!file)
		return log_error(-errno, "%s: %m; write this guest file, or give the path of another one",
				 config->file);
	config->text = malloc(GUESTFILE_MAX);
	if (fstat(fileno(file), &st) || S_ISDIR(st.st_mode))
		error = log_error(-EISDIR, "%s: a folder; give the file of a guest", config->file);
	else if (!config->text)
		error = log_error(-ENOMEM, "%s: no memory to read it", config->file);
	else
		config->text_len = fread(config->text, 1, GUESTFILE_MAX, file);
	if (!error && ferror(file))
		error = log_error(-EIO, "%s: cannot read it to its end", config->file);
	if (!error && fgetc(file) != EOF)
		error = log_error(-EFBIG, "%s: longer than %u bytes; this can't be the file of a guest",
				  config->file, GUESTFILE_MAX);
	fclose(file);
	return error;
}

static int parse(struct guest_config *config, bool devices, char *absent)
{
	struct parser parser = {
		.config = config, .no_devices = !devices, .running = !devices, .absent = absent,
	};
	struct reader reader = { .parser = &parser };
	int line = 0;

	/* fmemopen() rejects an empty text */
	if (config->text_len) {
		parser.file = fmemopen(config->text, config->text_len, "r");
		if (!parser.file)
			return log_error(-errno, "%s: cannot read it: %m", config->file);
		line = ini_parse_stream(next_line, &reader, take_key, &reader);
		free(reader.value);
		fclose(parser.file);
	}
	if (line > 0)
		guestfile_mistake(&parser, line, -EINVAL,
				  "neither [Section] nor Key=value; correct it, or begin it with # to leave it out");
	else if (line < 0)
		guestfile_mistake(&parser, 0, -EIO, "cannot read it to its end");

	for (size_t kind = GUEST_NO_DEVICE + 1; kind < GUEST_DEVICE_KINDS; kind++)
		guestdevices_finish(&parser, kind);
	guest_channels_finish(&parser);
	guest_itself_finish(&parser);
	return parser.error ?: absent && *absent ? -EAGAIN : 0;
}

static int load(struct guest_config *config, const char *name_or_file, const char *text,
		uint32_t text_len, char *absent)
{
	int error;

	memset(config, 0, sizeof(*config));
	config->nr_cpus = 1;
	config->memory = MEMORY_DEFAULT;
	config->guard = SIGMA_GUARD_AUTO;
	config->suspend = SIGMA_SUSPEND_SLEEP;
	config->numa_node = NUMA_NODE_ANY;
	config->host_modules = true;

	error = guestfile_find(name_or_file, config->name, &config->file);
	if (error)
		return log_error(error, "\"%s\": %s", name_or_file,
				 error == -EINVAL ? GUEST_NAME_RULE : strerror(-error));
	if (text) {
		config->text = malloc(text_len + 1);	/* malloc(0) may return NULL */
		if (config->text)
			memcpy(config->text, text, text_len);
		else
			error = log_error(-ENOMEM, "%s: no memory to read it", config->file);
		config->text_len = text_len;
	} else {
		error = read_text(config);
	}
	if (!error)
		error = parse(config, !text, absent);
	if (error)
		guestfile_free(config);
	return error;
}

int guestfile_load(struct guest_config *config, const char *name_or_file)
{
	return load(config, name_or_file, NULL, 0, NULL);
}

int guestfile_load_late(struct guest_config *config, const char *name_or_file,
			char absent[GUEST_ABSENT_MAX])
{
	*absent = '\0';
	return load(config, name_or_file, NULL, 0, absent);
}

int guestfile_parse(struct guest_config *config, const char *name_or_file, const char *text,
		    uint32_t text_len)
{
	return load(config, name_or_file, text, text_len, NULL);
}

void guestfile_free(struct guest_config *config)
{
	guestdevices_drop(config);
	free(config->file);
	free(config->text);
	free(config->kernel);
	free(config->initrd);
	free(config->modules);
	free(config->cmdline);
	free(config->root);
	profile_free(&config->profile);
	memset(config, 0, sizeof(*config));
}
