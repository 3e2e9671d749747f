// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's devices on D-Bus: see bus_devices.h.
 *
 * log_error() reports errors for readers of sigmad's messages; the caller gets the same text as a
 * D-Bus error. A Remove call is answered when the guest has released the device, which may be
 * never: the caller chooses how long to wait.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/busnames.h"
#include "../common/log.h"
#include "../common/text.h"
#include "bus_devices.h"
#include "devices.h"
#include "reload.h"
#include "virtio/bus.h"

/* D-Bus strings are UTF-8, file names are bytes. @clean: room for @text and 4 bytes more */
static const char *make_clean(char *clean, const char *text)
{
	struct text_filter filter = {};
	size_t len = text_clean(&filter, text, strlen(text), clean);

	len += text_clean_end(&filter, clean + len);
	clean[len] = '\0';
	return clean;
}

/* struct complaints - collects what log_error() reports during a call */
struct complaints {
	char *text;
	size_t size;
	FILE *file;
};

static int begin_complaints(struct complaints *complaints)
{
	*complaints = (struct complaints){};
	complaints->file = open_memstream(&complaints->text, &complaints->size);
	if (!complaints->file)
		return -ENOMEM;
	log_collect(complaints->file);
	return 0;
}

/* Make the D-Bus error for @ret < 0, with the collected text */
static int end_complaints(struct complaints *complaints, int ret, sd_bus_error *error)
{
	char clean[4096] = "";

	log_collect(NULL);
	fclose(complaints->file);
	if (complaints->text) {
		complaints->text[strnlen(complaints->text, sizeof(clean) - 8)] = '\0';
		make_clean(clean, complaints->text);
		if (*clean)
			clean[strlen(clean) - 1] = '\0';
	}
	free(complaints->text);
	return ret < 0 ? sd_bus_error_set_errnof(error, ret, "%s", clean) : ret;
}

/* Read an array of strings as lines; 0, or a negative errno with @error set */
static int read_keys(sd_bus_message *m, char keys[GUEST_KEYS_MAX], sd_bus_error *error)
{
	size_t len = 0;
	const char *key;
	int ret;

	*keys = '\0';
	ret = sd_bus_message_enter_container(m, 'a', "s");
	while (ret >= 0) {
		ret = sd_bus_message_read(m, "s", &key);
		if (ret <= 0)
			break;
		for (const char *at = key; *at; at++)
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				return sd_bus_error_set_errnof(error, -EINVAL, "a key contains a line break or another control character; remove it");
		len += snprintf(keys + len, GUEST_KEYS_MAX - len, "%s\n", key);
		if (len >= GUEST_KEYS_MAX)
			return sd_bus_error_set_errnof(error, -E2BIG, "the keys are longer than %u bytes; shorten them",
						       GUEST_KEYS_MAX);
	}
	return ret;
}

/* The methods are called after the sections of a guest file: "AddDisk" */
static enum guest_device kind_of(sd_bus_message *m, const char *verb)
{
	return guestfile_device(sd_bus_message_get_member(m) + strlen(verb));
}

int bus_add_device(sd_bus_message *m, void *data, sd_bus_error *error)
{
	enum guest_device kind = kind_of(m, "Add");
	struct bus_devices *devices = data;
	char keys[GUEST_KEYS_MAX], name[PATH_MAX + 4];
	struct complaints complaints;
	struct device_view view;
	int ret;

	ret = read_keys(m, keys, error);
	if (ret < 0)
		return ret;
	ret = begin_complaints(&complaints);
	if (ret < 0)
		return ret;
	ret = end_complaints(&complaints, devices_add(devices->machine, kind, keys), error);
	if (ret < 0)
		return ret;
	devices_view(devices->machine, ret, &view);
	return sd_bus_reply_method_return(m, "us", view.id, make_clean(name, view.name));
}

/* bus_device_released() may run before devices_remove() returns, so store the call first */
static int begin_unplug(sd_bus_message *m, struct bus_devices *devices, unsigned int id, bool force)
{
	struct removal *removal = devices->removal;
	int error;

	while (removal->call)
		if (++removal == devices->removal + REMOVALS_MAX)
			return log_error(-EBUSY, "too many removals are pending; wait until some have ended");
	removal->call = sd_bus_message_ref(m);
	removal->id = id;
	error = devices_remove(devices->machine, id, force);
	if (error)
		removal->call = sd_bus_message_unref(m);
	return error;
}

int bus_remove_device(sd_bus_message *m, void *data, sd_bus_error *error)
{
	enum guest_device kind = kind_of(m, "Remove");
	struct bus_devices *devices = data;
	struct complaints complaints;
	const char *what;
	int force, ret;

	ret = sd_bus_message_read(m, "sb", &what, &force);
	if (ret < 0)
		return ret;
	ret = begin_complaints(&complaints);
	if (ret < 0)
		return ret;
	ret = devices_find(devices->machine, kind, what);
	if (ret >= 0)
		ret = begin_unplug(m, devices, ret, force);
	ret = end_complaints(&complaints, ret, error);
	return ret < 0 ? ret : 1;	/* answered by bus_device_released() */
}

int bus_resize_disk(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_devices *devices = data;
	struct complaints complaints;
	const char *what;
	uint64_t size;
	int ret;

	ret = sd_bus_message_read(m, "st", &what, &size);
	if (ret < 0)
		return ret;
	ret = begin_complaints(&complaints);
	if (ret < 0)
		return ret;
	ret = devices_find(devices->machine, GUEST_DISK, what);
	if (ret >= 0)
		ret = devices_resize(devices->machine, ret, &size);
	ret = end_complaints(&complaints, ret, error);
	return ret < 0 ? ret : sd_bus_reply_method_return(m, "t", size);
}

/* Answer with the lines of @text, which people read: one string for each */
static int reply_lines(sd_bus_message *m, const char *text)
{
	char *copy = strdup(text), *clean = malloc(strlen(text) + 4), *rest, *line;
	sd_bus_message *reply = NULL;
	int ret = copy && clean ? sd_bus_message_new_method_return(m, &reply) : -ENOMEM;

	if (ret >= 0)
		ret = sd_bus_message_open_container(reply, 'a', "s");
	for (rest = copy; ret >= 0 && (line = strsep(&rest, "\n")); )
		if (*line)
			ret = sd_bus_message_append(reply, "s", make_clean(clean, line));
	if (ret >= 0)
		ret = sd_bus_message_close_container(reply);
	if (ret >= 0)
		ret = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	free(clean);
	free(copy);
	return ret;
}

int bus_reload(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_devices *devices = data;
	struct complaints complaints;
	char *text = NULL;
	size_t size = 0;
	FILE *said = open_memstream(&text, &size);
	int ret;

	if (!said)
		return -ENOMEM;
	ret = begin_complaints(&complaints);
	if (ret >= 0)
		ret = end_complaints(&complaints, reload(devices->machine, said), error);
	if (fclose(said) && ret >= 0)
		ret = -ENOMEM;
	if (text && *text)
		log_info("the guest file was read again:\n%.*s", (int)strlen(text) - 1, text);
	if (ret >= 0)
		ret = reply_lines(m, text);
	free(text);
	return ret;
}

void bus_device_released(struct bus_devices *devices, unsigned int id, int error)
{
	for (struct removal *removal = devices->removal;
	     removal < devices->removal + REMOVALS_MAX; removal++) {
		if (!removal->call || removal->id != id)
			continue;
		if (error)
			sd_bus_reply_method_errnof(removal->call, error, "the guest has the device in use; unmount it there, or remove it by force");
		else
			sd_bus_reply_method_return(removal->call, NULL);
		removal->call = sd_bus_message_unref(removal->call);
	}
}

void bus_drop_removals(struct bus_devices *devices, sd_bus *connection)
{
	for (unsigned int i = 0; i < REMOVALS_MAX; i++)
		if (devices->removal[i].call &&
		    sd_bus_message_get_bus(devices->removal[i].call) == connection)
			devices->removal[i].call = sd_bus_message_unref(devices->removal[i].call);
}

static int append_keys(sd_bus_message *reply, const char *keys)
{
	char text[GUEST_KEYS_MAX + 4], *rest = text, *key;
	int ret = sd_bus_message_open_container(reply, 'a', "s");

	make_clean(text, keys);
	while (ret >= 0 && (key = strsep(&rest, "\n")))
		if (*key)
			ret = sd_bus_message_append(reply, "s", key);
	return ret < 0 ? ret : sd_bus_message_close_container(reply);
}

static int append_device(sd_bus_message *reply, const struct device_view *view)
{
	char name[PATH_MAX + 4];
	int ret = sd_bus_message_open_container(reply, 'r', "ussasb");

	if (ret >= 0)
		ret = sd_bus_message_append(reply, "uss", view->id, guestfile_word(view->kind),
					    make_clean(name, view->name));
	if (ret >= 0)
		ret = append_keys(reply, view->keys);
	if (ret >= 0)
		ret = sd_bus_message_append(reply, "b", view->leaving);
	return ret < 0 ? ret : sd_bus_message_close_container(reply);
}

int bus_get_devices(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	int ret = sd_bus_message_open_container(reply, 'a', "(ussasb)");
	const struct bus_devices *devices = data;
	struct device_view view;

	for (unsigned int id = 0; id < SIGMA_DEVICES && ret >= 0; id++)
		if (devices_view(devices->machine, id, &view))
			ret = append_device(reply, &view);
	return ret < 0 ? ret : sd_bus_message_close_container(reply);
}

/* @wrong: what is wrong with a device, or NULL */
static int append_wrong(sd_bus_message *reply, const struct bus_devices *devices,
			const char *(*wrong)(const struct virtio_bus *bus, unsigned int id))
{
	int ret = sd_bus_message_open_container(reply, 'a', "(us)");
	const char *why;

	for (unsigned int id = 0; id < SIGMA_DEVICES && ret >= 0; id++) {
		why = wrong(devices->machine->devices, id);
		if (why)
			ret = sd_bus_message_append(reply, "(us)", id, why);
	}
	return ret < 0 ? ret : sd_bus_message_close_container(reply);
}

int bus_get_stopped(sd_bus *bus, const char *path, const char *interface, const char *property,
		    sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return append_wrong(reply, data, virtio_bus_stopped);
}

int bus_get_troubled(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return append_wrong(reply, data, virtio_bus_trouble);
}

int bus_get_counters(sd_bus *bus, const char *path, const char *interface, const char *property,
		     sd_bus_message *reply, void *data, sd_bus_error *error)
{
	int ret = sd_bus_message_open_container(reply, 'a', "(usttt)");
	const struct bus_devices *devices = data;
	struct virtio_counters moved;

	for (unsigned int id = 0; id < SIGMA_DEVICES && ret >= 0; id++) {
		const char *type = virtio_bus_counters(devices->machine->devices, id, &moved);

		if (type)
			ret = sd_bus_message_append(reply, "(usttt)", id, type, moved.chains,
						    moved.bytes_out, moved.bytes_in);
	}
	return ret < 0 ? ret : sd_bus_message_close_container(reply);
}
