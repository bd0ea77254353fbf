// SPDX-License-Identifier: Apache-2.0
/* A virtio-serial port, and the Unix socket at its other end. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "port.h"

#define CONNECT_TRIES	500	/* 10 ms apart: QEMU makes its sockets early */

static const struct timespec nap = { .tv_nsec = 10000000 };

/* The device node of the port, from /sys/class/virtio-ports/vportXpY/name. */
static int find_node(const char *name, char *path, size_t len)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *e;
	int err = -ENOENT;

	if (!dir)
		return -errno;
	while (err && (e = readdir(dir))) {
		char file[512], found[128] = "";
		FILE *f;

		snprintf(file, sizeof(file), "/sys/class/virtio-ports/%.255s/name", e->d_name);
		f = fopen(file, "r");
		if (!f)
			continue;
		if (fgets(found, sizeof(found), f))
			found[strcspn(found, "\n")] = 0;
		fclose(f);
		if (!strcmp(found, name)) {
			snprintf(path, len, "/dev/%.255s", e->d_name);
			err = 0;
		}
	}
	closedir(dir);
	return err;
}

int port_open(const char *name, int *fd)
{
	char path[512];
	int err = -ENOENT;

	for (int i = 0; err && i < CONNECT_TRIES; i++) {
		err = find_node(name, path, sizeof(path));
		if (err)
			nanosleep(&nap, NULL);
	}
	if (err)
		return err;

	*fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	for (;;) {
		struct pollfd p = { .fd = *fd, .events = POLLIN };

		/* A port that nobody holds at its other end says POLLHUP at once, always. */
		if (poll(&p, 1, -1) > 0 && !(p.revents & POLLHUP))
			return 0;
		nanosleep(&nap, NULL);
	}
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		if (errno != ENOENT && errno != ECONNREFUSED)
			break;
		nanosleep(&nap, NULL);
	}
	close(fd);
	return -errno;
}

/* Moves what is there from one to the other; 1 at the end of the file, or a negative errno. */
static int move(int from, int to)
{
	static char chunk[65536];
	ssize_t n = read(from, chunk, sizeof(chunk));

	if (n <= 0)
		return n < 0 ? -errno : 1;
	for (ssize_t done = 0; done < n;) {
		ssize_t w = write(to, chunk + done, (size_t)(n - done));

		if (w < 0)
			return -errno;
		done += w;
	}
	return 0;
}

int connect_main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	int fd, err = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: latlab-probe connect PATH\n");
		return 3;
	}
	fd = dial(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "latlab-probe connect: %s: %s\n", argv[1], strerror(-fd));
		return 4;
	}

	fds[1].fd = fd;
	while (!err && poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			err = move(STDIN_FILENO, fd);
		if (!err && fds[1].revents)
			err = move(fd, STDOUT_FILENO);
	}
	return err < 0 ? 4 : 0;
}
