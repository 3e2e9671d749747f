// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets between host and guest, on both sides of vsock.sh:
 *
 *	vsock cid		print this system's CID
 *	vsock serve PORT	in the background, echo all data of any number of connections:
 *				streams at PORT, records at PORT + 1
 *	vsock call CID PORT	connect, send the standard input, write what comes back
 *	vsock records CID PORT	send records of several sizes, and expect them back one by one
 */
#include <err.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define CHUNK	(256 * 1024)

static char buffer[CHUNK];

static int print_cid(void)
{
	int fd = open("/dev/vsock", O_RDONLY);
	unsigned int cid;

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid))
		err(EXIT_FAILURE, "/dev/vsock");
	printf("%u\n", cid);
	return EXIT_SUCCESS;
}

static void copy(int from, int to)
{
	ssize_t len;

	while ((len = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0, n; done < len; done += n) {
			n = write(to, buffer + done, len - done);
			if (n < 0)
				err(EXIT_FAILURE, "write");
		}
	if (len < 0)
		err(EXIT_FAILURE, "read");
}

static int listen_at(int type, unsigned int port)
{
	const struct sockaddr_vm here = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port,
	};
	int fd = socket(AF_VSOCK, type, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) || listen(fd, 8))
		err(EXIT_FAILURE, "port %u", port);
	return fd;
}

static int connect_to(int type, unsigned int cid, unsigned int port)
{
	const struct sockaddr_vm there = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};
	int fd = socket(AF_VSOCK, type, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&there, sizeof(there)))
		err(EXIT_FAILURE, "CID %u, port %u", cid, port);
	return fd;
}

static int accept_all(int listening)
{
	int fd;

	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		if (!fork()) {
			copy(fd, fd);
			return EXIT_SUCCESS;
		}
		close(fd);
	}
	err(EXIT_FAILURE, "accept");
}

/* Streams at @port, records at the next one */
static int serve(unsigned int port)
{
	int streams = listen_at(SOCK_STREAM, port);
	int records = listen_at(SOCK_SEQPACKET, port + 1);

	signal(SIGCHLD, SIG_IGN);
	if (daemon(0, 0))
		err(EXIT_FAILURE, "daemon");
	return accept_all(fork() ? streams : records);
}

static int call(unsigned int cid, unsigned int port)
{
	int fd = connect_to(SOCK_STREAM, cid, port);
	pid_t sender = fork();

	if (!sender) {
		copy(STDIN_FILENO, fd);
		shutdown(fd, SHUT_WR);
		return EXIT_SUCCESS;
	}
	copy(fd, STDOUT_FILENO);
	return EXIT_SUCCESS;
}

static int send_records(unsigned int cid, unsigned int port)
{
	static const ssize_t sizes[] = { 1, 1000, 5000, 65536, 3 };
	int fd = connect_to(SOCK_SEQPACKET, cid, port);

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (send(fd, buffer, sizes[i], MSG_EOR) != sizes[i])
			err(EXIT_FAILURE, "send");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0);

		if (len != sizes[i])
			errx(EXIT_FAILURE, "record %u: %zd bytes instead of %zd", i, len, sizes[i]);
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	unsigned int first = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	unsigned int second = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	if (!strcmp(verb, "cid"))
		return print_cid();
	if (!strcmp(verb, "serve") && argc == 3)
		return serve(first);
	if (!strcmp(verb, "call") && argc == 4)
		return call(first, second);
	if (!strcmp(verb, "records") && argc == 4)
		return send_records(first, second);
	errx(EXIT_FAILURE, "see the comment on top of programs/vsock.c");
}
