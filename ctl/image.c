// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacks images of containers: see image.h. All of an image is hostile. Its texts are bounded, its
 * files are found below the layout's folder only, and unpack() keeps its layers in the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/program.h"
#include "ctl.h"
#include "image.h"
#include "in_root.h"

#define TEXT_MAX	(4U << 20)	/* of a manifest or a configuration */
#define NESTED_MAX	4		/* indexes in indexes */
#define LAYERS_MAX	1024
#define STRINGS_MAX	4096		/* of a list in the configuration */
#define REF_NAME	"org.opencontainers.image.ref.name"
#define ARCHITECTURE	"amd64"
#define OS		"linux"

/** struct layout - a layout's folder; @name: for messages */
struct layout {
	int folder;
	const char *name;
};

static const struct algorithm {
	const char *name, *program;
	size_t digits;
} algorithms[] = {
	{ "sha256", "sha256sum", 64 }, { "sha512", "sha512sum", 128 },
};

#define DIGITS_MAX 128

/* Members of objects that may be anything */

static struct json_object *member(struct json_object *object, const char *name,
				  enum json_type type)
{
	struct json_object *found;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, name, &found) ||
	    !json_object_is_type(found, type))
		return NULL;
	return found;
}

/* NULL: there is no such text */
static const char *text_of(struct json_object *object, const char *name)
{
	return json_object_get_string(member(object, name, json_type_string));
}

static size_t length_of(struct json_object *list)
{
	return list ? json_object_array_length(list) : 0;
}

/* Files */

/* What a program for sums says of the file: @digits of a digest. 0 or -errno */
static int sum(const struct algorithm *algorithm, int fd, char digest[DIGITS_MAX + 1])
{
	static const char *const usual[] = { "/usr/bin", "/bin", NULL };
	posix_spawn_file_actions_t actions;
	char path[PATH_MAX], *argv[] = { path, NULL };
	int output[2], error, how;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	error = program_find(path, algorithm->program, usual);
	if (error || lseek(fd, 0, SEEK_SET) < 0 || pipe2(output, O_CLOEXEC))
		return error ?: -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	error = -posix_spawn(&pid, path, &actions, NULL, argv, program_environment);
	posix_spawn_file_actions_destroy(&actions);
	close(output[1]);
	while (!error && len < algorithm->digits &&
	       (got = read(output[0], digest + len, algorithm->digits - len)) > 0)
		len += got;
	close(output[0]);
	digest[len] = '\0';
	if (!error && (waitpid(pid, &how, 0) < 0 || len < algorithm->digits))
		error = -EIO;
	return error;
}

/* The algorithm of "sha256:HEX"; NULL: it is no digest */
static const struct algorithm *algorithm_of(const char *digest)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		const size_t len = strlen(algorithms[i].name);

		if (!strncmp(digest, algorithms[i].name, len) && digest[len] == ':' &&
		    strlen(digest + len + 1) == algorithms[i].digits &&
		    strspn(digest + len + 1, "0123456789abcdef") == algorithms[i].digits)
			return &algorithms[i];
	}
	return NULL;
}

/* Open the file of a digest, which is what it says. A descriptor, or a reported -errno */
static int open_blob(const struct layout *layout, const char *digest)
{
	const struct algorithm *algorithm = digest ? algorithm_of(digest) : NULL;
	char path[256], found[DIGITS_MAX + 1];
	struct stat st;
	int fd, error;

	if (!algorithm)
		return complain(-EINVAL, "%s: \"%.80s\" is no digest by sha256 or sha512; the image is damaged",
				layout->name, digest ?: "");
	digest += strlen(algorithm->name) + 1;
	snprintf(path, sizeof(path), "blobs/%s/%s", algorithm->name, digest);
	/* O_NONBLOCK: it may be a pipe */
	fd = in_root_open(layout->folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return complain(fd, "%s/%s: %s; the image is not whole", layout->name, path,
				strerror(-fd));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return complain(-EINVAL, "%s/%s: no file; the image is damaged", layout->name, path);
	}
	error = sum(algorithm, fd, found);
	if (error)
		complain(0, "%s/%s: cannot compare it with its digest by %s: %s", layout->name, path,
			 algorithm->program, strerror(-error));
	else if (strcmp(found, digest))
		error = complain(-EBADMSG, "%s/%s: is not what its digest says; the image is damaged",
				 layout->name, path);
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* Parse a file, which is closed. NULL: reported */
static struct json_object *parse(const struct layout *layout, const char *what, int fd)
{
	struct json_tokener *tokener = json_tokener_new();
	char *text = malloc(TEXT_MAX + 1);
	struct json_object *json = NULL;
	size_t len = 0;
	ssize_t got = 1;

	if (lseek(fd, 0, SEEK_SET) < 0)
		got = -1;
	while (text && got > 0 && len <= TEXT_MAX) {
		got = read(fd, text + len, TEXT_MAX + 1 - len);
		len += got > 0 ? got : 0;
	}
	close(fd);
	if (tokener && text && !got && len <= TEXT_MAX)
		json = json_tokener_parse_ex(tokener, text, len);
	if (tokener)
		json_tokener_free(tokener);
	free(text);
	if (!json_object_is_type(json, json_type_object)) {
		complain(0, "%s: its %s is no JSON object of at most %u MiB; the image is damaged",
			 layout->name, what, TEXT_MAX >> 20);
		json_object_put(json);
		return NULL;
	}
	return json;
}

static struct json_object *parse_blob(const struct layout *layout, const char *what,
				      const char *digest)
{
	int fd = open_blob(layout, digest);

	return fd < 0 ? NULL : parse(layout, what, fd);
}

/* The manifest */

static bool has_tag(struct json_object *entry, const char *tag)
{
	const char *name = text_of(member(entry, "annotations", json_type_object), REF_NAME);
	const size_t len = name ? strlen(name) : 0, tag_len = strlen(tag);

	return name && (!strcmp(name, tag) ||
			(len > tag_len && name[len - tag_len - 1] == ':' &&
			 !strcmp(name + len - tag_len, tag)));
}

static bool is_for_this_machine(struct json_object *entry)
{
	struct json_object *platform = member(entry, "platform", json_type_object);
	const char *architecture = text_of(platform, "architecture"), *os = text_of(platform, "os");

	return (!architecture || !strcmp(architecture, ARCHITECTURE)) && (!os || !strcmp(os, OS));
}

/* The digest of the entry that is meant, or NULL, reported */
static const char *choose(const struct layout *layout, struct json_object *index, const char *tag)
{
	struct json_object *list = member(index, "manifests", json_type_array), *found = NULL;
	unsigned int nr = 0;
	char tags[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < length_of(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *name = text_of(member(entry, "annotations", json_type_object), REF_NAME);

		if (!is_for_this_machine(entry))
			continue;
		if (name && len < sizeof(tags))
			len += snprintf(tags + len, sizeof(tags) - len, " %s", name);
		if (tag && !has_tag(entry, tag))
			continue;
		found = entry;
		nr++;
	}
	if (nr == 1)
		return text_of(found, "digest") ?: "";	/* which is no digest, either */
	if (nr)
		complain(0, "%s: has %u images for this machine; give the tag of one, as in --rootfs=%s:TAG:%s",
			 layout->name, nr, layout->name, tags);
	else if (tag)
		complain(0, "%s: has no image for " OS "/" ARCHITECTURE " with the tag %s; it has:%s",
			 layout->name, tag, *tags ? tags : " none");
	else
		complain(0, "%s: has no image for " OS "/" ARCHITECTURE, layout->name);
	return NULL;
}

static struct json_object *read_index(const struct layout *layout)
{
	int fd = in_root_open(layout->folder, "index.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0)
		return parse(layout, "index.json", fd);
	complain(0, "%s/index.json: %s; this is no OCI image", layout->name, strerror(-fd));
	return NULL;
}

/* Go from index to index, to the manifest. NULL: reported */
static struct json_object *find_manifest(const struct layout *layout, const char *tag)
{
	struct json_object *at = read_index(layout), *next;
	const char *digest;

	for (unsigned int i = 0; at && member(at, "manifests", json_type_array); i++) {
		digest = i < NESTED_MAX ? choose(layout, at, tag) : NULL;
		if (i == NESTED_MAX)
			complain(0, "%s: more than %u indexes in each other; the image is damaged",
				 layout->name, NESTED_MAX);
		next = digest ? parse_blob(layout, "manifest", digest) : NULL;
		json_object_put(at);
		at = next;
		tag = NULL;
	}
	return at;
}

/* The configuration */

/* Add the texts of a list. 0, -EINVAL, or -ENOMEM */
static int add_strings(char ***to, struct json_object *list)
{
	size_t nr = 0, more = length_of(list);
	char **larger;

	while (*to && (*to)[nr])
		nr++;
	if (more > STRINGS_MAX)
		return -EINVAL;
	larger = reallocarray(*to, nr + more + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	*to = larger;
	for (size_t i = 0; i < more; i++) {
		struct json_object *text = json_object_array_get_idx(list, i);

		larger[nr] = NULL;
		if (!json_object_is_type(text, json_type_string))
			return -EINVAL;
		larger[nr] = strdup(json_object_get_string(text));
		if (!larger[nr++])
			return -ENOMEM;
	}
	larger[nr] = NULL;
	return 0;
}

static bool are_variables(char *const *env)
{
	for (; *env; env++)
		if (!strchr(*env, '=') || **env == '=')
			return false;
	return true;
}

/* An empty text is as none. 0 or -ENOMEM */
static int copy_text(char **to, const char *text)
{
	if (!text || !*text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int take_config(const struct layout *layout, struct json_object *json, struct image *image)
{
	struct json_object *config = member(json, "config", json_type_object);
	const char *architecture = text_of(json, "architecture");
	int error;

	if (architecture && strcmp(architecture, ARCHITECTURE))
		return complain(-ENOEXEC, "%s: is an image for %s, and this machine is " ARCHITECTURE,
				layout->name, architecture);
	error = add_strings(&image->argv, member(config, "Entrypoint", json_type_array)) ?:
		add_strings(&image->argv, member(config, "Cmd", json_type_array)) ?:
		add_strings(&image->env, member(config, "Env", json_type_array)) ?:
		copy_text(&image->user, text_of(config, "User")) ?:
		copy_text(&image->workdir, text_of(config, "WorkingDir"));
	if (!error && (!are_variables(image->env) || (image->workdir && *image->workdir != '/')))
		error = -EINVAL;
	if (error)
		return complain(error, "%s: its configuration is not as it should be: %s",
				layout->name, strerror(-error));
	return 0;
}

/* The layers, from the lowest one on */
static int unpack_layers(const struct layout *layout, struct json_object *manifest, int root,
			 struct unpack_report *report)
{
	struct json_object *layers = member(manifest, "layers", json_type_array);
	int error = 0, fd;

	if (length_of(layers) > LAYERS_MAX)
		return complain(-EINVAL, "%s: more than %u layers; the image is damaged", layout->name,
				LAYERS_MAX);
	for (size_t i = 0; i < length_of(layers) && !error; i++) {
		const char *digest = text_of(json_object_array_get_idx(layers, i), "digest");

		fd = open_blob(layout, digest);
		if (fd < 0)
			return fd;
		error = unpack(root, fd, digest, true, report);
		close(fd);
	}
	return error;
}

bool image_is_layout(int folder)
{
	return !faccessat(folder, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) &&
	       !faccessat(folder, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) &&
	       !faccessat(folder, "blobs", F_OK, AT_SYMLINK_NOFOLLOW);
}

int image_unpack(int folder, const char *name, const char *tag, int root, struct image *image,
		 struct unpack_report *report)
{
	const struct layout layout = { .folder = folder, .name = name };
	struct json_object *manifest, *config;
	int error;

	*image = (struct image) {};
	manifest = find_manifest(&layout, tag);
	if (!manifest)
		return -EINVAL;
	config = parse_blob(&layout, "configuration",
			    text_of(member(manifest, "config", json_type_object), "digest"));
	error = config ? take_config(&layout, config, image) : -EINVAL;
	json_object_put(config);
	if (!error)
		error = unpack_layers(&layout, manifest, root, report);
	json_object_put(manifest);
	return error;
}

static void free_strings(char **strings)
{
	for (char **at = strings; at && *at; at++)
		free(*at);
	free(strings);
}

void image_free(struct image *image)
{
	free_strings(image->argv);
	free_strings(image->env);
	free(image->user);
	free(image->workdir);
	*image = (struct image) {};
}
