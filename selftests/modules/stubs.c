// SPDX-License-Identifier: GPL-2.0
/*
 * Stubs of iosc-idl in a kernel: client and server of ../calls/files.capnp are both here, and what
 * carries their messages are two buffers. The module loads if each call is answered as it should
 * be.
 */
#include <linux/module.h>

#include "files-client.h"
#include "files-server.h"

#define MESSAGE_MAX	8192

struct files_file {
	u64 size;
};

/**
 * struct iosc_caller - both sides
 * @request, @reply: messages
 */
struct iosc_caller {
	u8 request[MESSAGE_MAX] __aligned(8);
	u8 reply[MESSAGE_MAX] __aligned(8);
	u32 length;
	struct iosc_handles handles;
};

static struct iosc_caller both;
static struct files_file the_file;

/* The client's side */

static void *begin(struct iosc_caller *caller, const struct iosc_method *method, u32 length, u8 kind)
{
	struct iosc_message *message = (void *)caller->request;

	*message = (struct iosc_message){
		.interface = cpu_to_le32(method->interface), .method = cpu_to_le16(method->method),
		.size = cpu_to_le16(method->size), .kind = kind,
	};
	caller->length = length;
	return message + 1;
}

void *iosc_call_begin(struct iosc_caller *caller, struct iosc_call *call,
		      const struct iosc_method *method, u32 length)
{
	call->caller = caller;
	call->method = method;
	return begin(caller, method, length, IOSC_CALL);
}

void *iosc_oneway_begin(struct iosc_caller *caller, const struct iosc_method *method, u32 length,
			int *error)
{
	return begin(caller, method, length, IOSC_ONEWAY);
}

static struct iosc_incoming incoming(const u8 *bytes, u32 length)
{
	const struct iosc_message *message = (const void *)bytes;

	return (struct iosc_incoming){
		.bytes = bytes, .length = length, .kind = message->kind,
		.method = le16_to_cpu(message->method), .size = le16_to_cpu(message->size),
	};
}

static const struct files_server table;

int iosc_call_run(struct iosc_call *call)
{
	static u8 copy[IOSC_OTHER_MAX] __aligned(8);
	struct iosc_caller *caller = call->caller;
	struct iosc_serving serving = {
		.request = { .handles = &caller->handles }, .table = &table,
		.in = incoming(caller->request, caller->length),
		.answer = { .room = caller->reply + sizeof(struct iosc_message) },
	};
	int error = iosc_serve(&files_service, &serving, copy);
	struct iosc_incoming in;

	if (error)
		return error;
	((struct iosc_message *)caller->reply)->size = cpu_to_le16(serving.answer.size);
	in = incoming(caller->reply, serving.answer.length);
	return call->method->take(call, &in);
}

int iosc_call_start(struct iosc_call *call)
{
	return -EOPNOTSUPP;
}

int iosc_oneway_send(struct iosc_caller *caller)
{
	return -EOPNOTSUPP;
}

void iosc_caller_listen(struct iosc_caller *caller, const struct iosc_listener *listener,
			const void *events, void *context)
{
}

/* The server's */

void *iosc_answer_begin(struct iosc_serving *serving, u32 length)
{
	return serving->answer.room;
}

int iosc_reply_begin(const struct iosc_request *request, struct iosc_answer *answer, u32 length)
{
	return -EOPNOTSUPP;
}

int iosc_reply_send(const struct iosc_request *request, const struct iosc_answer *answer,
		    int result)
{
	return -EOPNOTSUPP;
}

int iosc_event_begin(struct iosc_client *client, struct iosc_answer *answer, u32 length)
{
	return -EOPNOTSUPP;
}

int iosc_event_send(struct iosc_client *client, const struct iosc_answer *answer, u32 interface,
		    u16 method)
{
	return -EOPNOTSUPP;
}

void *iosc_handle_close(struct iosc_handles *handles, u32 type, u32 number)
{
	struct iosc_handle *handle = (struct iosc_handle *)iosc_handle_at(handles, type, number);

	if (!handle)
		return NULL;
	handle->type = 0;
	return handle->object;
}

static int serve_open(struct iosc_request *request, const char *path, size_t path_length, u32 flags,
		      u32 mode, struct files_file **file)
{
	*file = &the_file;
	return path_length && path[0] == '/' ? 0 : FILES_ERROR_NO_SUCH_FILE;
}

static int serve_write(struct iosc_request *request, struct files_file *file, const void *data,
		       size_t data_length, u32 *written)
{
	file->size += data_length;
	*written = data_length;
	return 0;
}

static int serve_stat(struct iosc_request *request, struct files_file *file,
		      struct files_stat *stat)
{
	*stat = (struct files_stat){
		.size = file->size, .kind = FILES_KIND_FOLDER, .readable = true,
	};
	return 0;
}

static int serve_get_direntries(struct iosc_request *request, struct files_file *file, u64 base,
				u64 *next, void *entries, size_t *entries_length)
{
	*next = base + 1;
	memset(entries, 'x', 100);
	*entries_length = 100;
	return 0;
}

static int serve_close(struct iosc_request *request, struct files_file *file)
{
	return 0;
}

static const struct files_server table = {
	.open = serve_open,
	.write = serve_write,
	.stat = serve_stat,
	.get_direntries = serve_get_direntries,
	.close = serve_close,
};

static int __init stubs_init(void)
{
	static char entries[100];
	struct files_stat stat = { };
	struct files_file_id file;
	size_t length;
	u64 next;
	u32 written;

	both.handles.free = &both.handles.handle[0];
	both.handles.handle[0].number = IOSC_HANDLES;
	if (files_open(&both, "none", 4, 0, 0, &file) != FILES_ERROR_NO_SUCH_FILE ||
	    files_open(&both, "/", 1, 0, 0, &file) || files_null(&both) != -ENOSYS ||
	    files_write(&both, file, "hello", 5, &written) || written != 5 ||
	    files_stat(&both, file, &stat) || stat.size != 5 || !stat.readable ||
	    files_get_direntries(&both, file, 7, &next, entries, sizeof(entries), &length) ||
	    next != 8 || length != sizeof(entries) || entries[99] != 'x' ||
	    files_close(&both, file) || files_stat(&both, file, &stat) != -EBADF)
		return -EINVAL;
	return 0;
}

static void __exit stubs_exit(void)
{
}

module_init(stubs_init);
module_exit(stubs_exit);
MODULE_DESCRIPTION("stubs of iosc-idl in a kernel");
MODULE_LICENSE("GPL");
