// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacks archives into a root: see unpack.h. libarchive reads them. It does not write them: as it
 * refuses to go through a link, it would refuse good images, whose layers put files into /lib where
 * another layer has a link to usr/lib. Here in_root_open() resolves the folder of each entry, in this
 * root, and the entry itself is made in that folder by the ...at() calls, which follow no link.
 *
 * Of a layer, first all whiteouts are obeyed, and then the files are unpacked, since a whiteout is
 * about the layers below, wherever it stands ("Whiteouts" in layer.md of the OCI image specification).
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ctl.h"
#include "in_root.h"
#include "library.h"
#include "unpack.h"

#define BLOCK		(256 << 10)
#define WHITEOUT	".wh."
#define RESERVED	".wh..wh."	/* these are about no file */
#define OPAQUE		".wh..wh..opq"
#define TRUNCATED	"Truncated input file"	/* archive_read_consume() of libarchive */

/* No filter that runs a program */
#define FUNCTIONS(f)								\
	f(archive_entry_filetype) f(archive_entry_gid) f(archive_entry_hardlink)	\
	f(archive_entry_mtime) f(archive_entry_mtime_nsec) f(archive_entry_pathname)	\
	f(archive_entry_perm) f(archive_entry_size) f(archive_entry_symlink)		\
	f(archive_entry_uid) f(archive_entry_xattr_next) f(archive_entry_xattr_reset)	\
	f(archive_error_string) f(archive_read_data_block) f(archive_read_free)		\
	f(archive_read_new) f(archive_read_next_header) f(archive_read_open_fd)		\
	f(archive_read_support_filter_bzip2) f(archive_read_support_filter_gzip)	\
	f(archive_read_support_filter_lz4) f(archive_read_support_filter_lzma)		\
	f(archive_read_support_filter_xz) f(archive_read_support_filter_zstd)		\
	f(archive_read_support_format_tar)
LIBRARY_FUNCTIONS(FUNCTIONS)

/**
 * struct place - where an entry goes
 * @folder: descriptor of its folder
 * @name: of it in there; "" is the root itself
 */
struct place {
	int folder;
	char name[NAME_MAX + 1];
};

/**
 * struct unpacker - one archive
 * @layer: it is one of an image
 * @entry: the present one; @path: its path, for messages
 */
struct unpacker {
	int root;
	bool layer;
	const char *archive;
	struct archive *in;
	struct archive_entry *entry;
	char path[PATH_MAX];
	struct unpack_report *report;
};

static int fail(const struct unpacker *unpacker, int error)
{
	return complain(error, "%s: %s: cannot unpack it: %s", unpacker->archive, unpacker->path,
			strerror(-error));
}

/* What is about to be made. 0 or a reported -EOVERFLOW */
static int count(const struct unpacker *unpacker, unsigned int entries, uint64_t bytes)
{
	return unpack_count(unpacker->report, unpacker->archive, unpacker->path, entries, bytes);
}

/* Copy a path without "/" and "." parts, "a/b"; false: it has a "..", or is too long */
static bool clean(char out[PATH_MAX], const char *path)
{
	size_t len, at = 0;

	for (*out = '\0'; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len || (len == 1 && *path == '.'))
			continue;
		if ((len == 2 && !memcmp(path, "..", 2)) || len > NAME_MAX ||
		    at + len + 2 > PATH_MAX)
			return false;
		if (at)
			out[at++] = '/';
		memcpy(out + at, path, len);
		at += len;
		out[at] = '\0';
	}
	return true;
}

/* @path: a clean one. 0 or -errno; close the folder */
static int find_place(int root, const char *path, struct place *place)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX + 1];

	snprintf(folder, sizeof(folder), "/%.*s", slash ? (int)(slash - path) : 0, path);
	snprintf(place->name, sizeof(place->name), "%s", slash ? slash + 1 : path);
	place->folder = in_root_open(root, folder, O_PATH | O_DIRECTORY);
	return place->folder < 0 ? place->folder : 0;
}

/* The same for the present entry. Folders on the way that are not there are made */
static int make_place(const struct unpacker *unpacker, struct place *place)
{
	char folder[PATH_MAX];
	unsigned int depth = 0;
	int error = find_place(unpacker->root, unpacker->path, place);

	if (error != -ENOENT)
		return error;
	for (const char *at = strchr(unpacker->path, '/'); at; at = strchr(at + 1, '/'))
		depth++;
	/* Those that are there count, too. Few archives have no entries for their folders */
	error = count(unpacker, depth, 0);
	if (error)
		return error;
	snprintf(folder, sizeof(folder), "/%.*s",
		 (int)(strrchr(unpacker->path, '/') - unpacker->path), unpacker->path);
	place->folder = in_root_make_folder(unpacker->root, folder);
	return place->folder < 0 ? place->folder : 0;
}

/* Contents and attributes */

/*
 * "umoci insert" leaves out what pads the last file and ends an archive. Programs in Go accept that. A
 * layer is what its digest says, so nothing was lost on the way. Only the text of libarchive tells this
 * from other errors.
 */
static bool lacks_padding(const struct unpacker *unpacker)
{
	return unpacker->layer &&
	       !strncmp(sym_archive_error_string(unpacker->in) ?: "", TRUNCATED, strlen(TRUNCATED));
}

static int copy_data(const struct unpacker *unpacker, int fd)
{
	const la_int64_t whole = sym_archive_entry_size(unpacker->entry);
	const char *block;
	const void *data;
	la_int64_t at = 0;
	ssize_t written;
	size_t size;
	int ret, error;

	while ((ret = sym_archive_read_data_block(unpacker->in, &data, &size, &at)) == ARCHIVE_OK) {
		error = count(unpacker, 0, size);
		if (error)
			return error;
		for (block = data; size; block += written, at += written, size -= written) {
			written = pwrite(fd, block, size, at);
			if (written <= 0)
				return -errno ?: -EIO;
		}
	}
	if (ret != ARCHIVE_EOF && !(at == whole && lacks_padding(unpacker)))
		return complain(-EBADMSG, "%s: %s: %s", unpacker->archive, unpacker->path,
				sym_archive_error_string(unpacker->in));
	/* It may end with a hole */
	return ftruncate(fd, whole) ? -errno : 0;
}

/* Others are about the host's security modules, or about overlays. 0, also without support, or -errno */
static int set_xattrs(const struct unpacker *unpacker, int fd)
{
	const char *name;
	const void *value;
	size_t size;
	int error;

	sym_archive_entry_xattr_reset(unpacker->entry);
	while (!sym_archive_entry_xattr_next(unpacker->entry, &name, &value, &size)) {
		if (!name || (strncmp(name, "user.", 5) && strcmp(name, "security.capability")))
			continue;
		error = count(unpacker, 0, size);
		if (error)
			return error;
		if (fsetxattr(fd, name, value, size, 0) && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

/* @fd: of the file or folder; -1: it is of another kind */
static int set_attributes(const struct unpacker *unpacker, const struct place *place, int fd)
{
	struct archive_entry *entry = unpacker->entry;
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = sym_archive_entry_mtime(entry),
		  .tv_nsec = sym_archive_entry_mtime_nsec(entry) },
	};
	const mode_t mode = sym_archive_entry_perm(entry);
	const uid_t uid = sym_archive_entry_uid(entry);
	const gid_t gid = sym_archive_entry_gid(entry);
	int error = 0;

	/* The owner first: a new one takes capabilities and set-user-ID bits away */
	if (fd >= 0 ? fchown(fd, uid, gid) :
	    fchownat(place->folder, place->name, uid, gid, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (fd >= 0)
		error = fchmod(fd, mode) ? -errno : set_xattrs(unpacker, fd);
	else if (sym_archive_entry_filetype(entry) == AE_IFIFO)
		error = fchmodat(place->folder, place->name, mode, 0) ? -errno : 0;
	if (error)
		return error;
	/* A time that the file system does not have is no reason to fail */
	if (fd >= 0)
		futimens(fd, times);
	else
		utimensat(place->folder, place->name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* Kinds of entries. Each returns 0 or -errno */

static int make_file(const struct unpacker *unpacker, const struct place *place)
{
	int fd = openat(place->folder, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
			O_CLOEXEC, 0600), error;

	if (fd < 0)
		return -errno;
	error = copy_data(unpacker, fd) ?: set_attributes(unpacker, place, fd);
	close(fd);
	return error;
}

static int make_folder(const struct unpacker *unpacker, const struct place *place)
{
	const char *name = *place->name ? place->name : ".";
	int fd, error;

	if (mkdirat(place->folder, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(place->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = set_attributes(unpacker, place, fd);
	close(fd);
	return error;
}

static int make_link(const struct unpacker *unpacker, const struct place *place)
{
	const char *target = sym_archive_entry_symlink(unpacker->entry);

	if (!target || !*target)
		return -EINVAL;
	return symlinkat(target, place->folder, place->name) ? -errno :
	       set_attributes(unpacker, place, -1);
}

static int make_fifo(const struct unpacker *unpacker, const struct place *place)
{
	return mkfifoat(place->folder, place->name, 0600) ? -errno :
	       set_attributes(unpacker, place, -1);
}

static int make_hard_link(const struct unpacker *unpacker, const struct place *place)
{
	char path[PATH_MAX];
	struct place target;
	int error;

	if (!clean(path, sym_archive_entry_hardlink(unpacker->entry)) || !*path)
		return -EINVAL;
	error = find_place(unpacker->root, path, &target);
	if (error)
		return error;
	/* Without AT_SYMLINK_FOLLOW: a link to a symbolic link is one to the link itself */
	if (linkat(target.folder, target.name, place->folder, place->name, 0))
		error = -errno;
	close(target.folder);
	return error;
}

/* What is there goes, unless old and new are folders */
static int make_room(const struct unpacker *unpacker, const struct place *place)
{
	struct stat st;

	if (!*place->name)
		return sym_archive_entry_filetype(unpacker->entry) == AE_IFDIR ? 0 : -EINVAL;
	if (fstatat(place->folder, place->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode) && !sym_archive_entry_hardlink(unpacker->entry) &&
	    sym_archive_entry_filetype(unpacker->entry) == AE_IFDIR)
		return 0;
	return in_root_remove(place->folder, place->name);
}

static int make_entry(const struct unpacker *unpacker, const struct place *place)
{
	int error = make_room(unpacker, place);

	if (error)
		return error;
	if (sym_archive_entry_hardlink(unpacker->entry))
		return make_hard_link(unpacker, place);
	switch (sym_archive_entry_filetype(unpacker->entry)) {
	case AE_IFREG:
		return make_file(unpacker, place);
	case AE_IFDIR:
		return make_folder(unpacker, place);
	case AE_IFLNK:
		return make_link(unpacker, place);
	case AE_IFIFO:
		return make_fifo(unpacker, place);
	case AE_IFCHR:
	case AE_IFBLK:
		unpacker->report->devices++;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Passes over an archive. Each returns 0 or a reported -errno for the present entry */

static bool is_whiteout(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strncmp(slash ? slash + 1 : path, WHITEOUT, strlen(WHITEOUT));
}

static int take_file(const struct unpacker *unpacker)
{
	struct place place;
	int error;

	if (unpacker->layer && is_whiteout(unpacker->path))
		return 0;
	error = count(unpacker, 1, 0) ?: make_place(unpacker, &place);
	if (!error) {
		error = make_entry(unpacker, &place);
		close(place.folder);
	}
	/* copy_data() and count() have reported these */
	return error && error != -EBADMSG && error != -EOVERFLOW ? fail(unpacker, error) : error;
}

static int take_whiteout(const struct unpacker *unpacker)
{
	const char *name;
	struct place place;
	int error;

	if (!is_whiteout(unpacker->path))
		return 0;
	error = find_place(unpacker->root, unpacker->path, &place);
	if (error)	/* the layers below have no such folder */
		return error == -ENOENT || error == -ENOTDIR ? 0 : fail(unpacker, error);
	name = place.name + strlen(WHITEOUT);
	if (!strcmp(place.name, OPAQUE))
		error = in_root_empty(place.folder);
	else if (strncmp(place.name, RESERVED, strlen(RESERVED)))
		error = !*name || !strcmp(name, ".") || !strcmp(name, "..") ? -EINVAL :
			in_root_remove(place.folder, name);
	close(place.folder);
	return error ? fail(unpacker, error) : 0;
}

static int open_archive(struct unpacker *unpacker, int fd)
{
	struct archive *in = sym_archive_read_new();

	unpacker->in = in;
	if (!in || lseek(fd, 0, SEEK_SET) < 0)
		return complain(-EIO, "%s: cannot read it: %s", unpacker->archive, strerror(errno));
	sym_archive_read_support_filter_bzip2(in);
	sym_archive_read_support_filter_gzip(in);
	sym_archive_read_support_filter_lz4(in);
	sym_archive_read_support_filter_lzma(in);
	sym_archive_read_support_filter_xz(in);
	sym_archive_read_support_filter_zstd(in);
	sym_archive_read_support_format_tar(in);
	if (sym_archive_read_open_fd(in, fd, BLOCK) < ARCHIVE_WARN)
		return complain(-EINVAL, "%s: no tar archive: %s", unpacker->archive,
				sym_archive_error_string(in));
	return 0;
}

static int read_entry(struct unpacker *unpacker)
{
	const char *path = sym_archive_entry_pathname(unpacker->entry);

	snprintf(unpacker->path, sizeof(unpacker->path), "%s", path ?: "(no name)");
	if (!path || !clean(unpacker->path, path))
		return complain(-EINVAL, "%s: %s: a path of this kind may lead out of the root; it is not unpacked",
				unpacker->archive, unpacker->path);
	return 0;
}

static int pass(struct unpacker *unpacker, int fd, int (*take)(const struct unpacker *unpacker))
{
	int ret = ARCHIVE_OK, error = open_archive(unpacker, fd);

	while (!error && (ret = sym_archive_read_next_header(unpacker->in, &unpacker->entry)) >=
	       ARCHIVE_WARN && ret != ARCHIVE_EOF)
		error = read_entry(unpacker) ?: take(unpacker);
	if (!error && ret != ARCHIVE_EOF && !lacks_padding(unpacker))
		error = complain(-EBADMSG, "%s: no tar archive, or a damaged one: %s",
				 unpacker->archive, sym_archive_error_string(unpacker->in));
	sym_archive_read_free(unpacker->in);
	return error;
}

static bool has_files(int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool found = !dir;

	while (dir && !found && (entry = readdir(dir)))
		found = strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

int unpack(int root, int fd, const char *name, bool layer, struct unpack_report *report)
{
	struct unpacker unpacker = {
		.root = root, .layer = layer, .archive = name, .report = report,
	};
	int error = library_load(LIBARCHIVE, library_functions);
	locale_t names, before;
	mode_t mask;

	if (error)
		return error;
	/* libarchive converts names to the charset of the locale. A root's are UTF-8, or just bytes */
	names = newlocale(LC_CTYPE_MASK, "C.UTF-8", 0);
	if (!names)
		return complain(-ENOENT, "there is no locale C.UTF-8 for the names in %s; install it",
				name);
	before = uselocale(names);
	mask = umask(022);
	/* The lowest one has nothing to remove, and is often the largest */
	if (layer && has_files(root))
		error = pass(&unpacker, fd, take_whiteout);
	error = error ?: pass(&unpacker, fd, take_file);
	umask(mask);
	uselocale(before);
	freelocale(names);
	return error;
}
