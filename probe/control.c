// SPDX-License-Identifier: Apache-2.0
/* control: the key, signals through a descriptor, and the end of stdin. */
#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "note.h"

/* Reads one line byte by byte: what follows it must stay unread. */
static int read_line(int fd, char *line, size_t size)
{
	size_t length = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0 || c == '\n')
			break;
		if (length + 1 >= size)
			return -EINVAL;
		if (c != '\r')
			line[length++] = c;
	}
	line[length] = '\0';
	return 0;
}

static int read_key(const char *source, struct siphash_key *key)
{
	bool from_stdin = !strcmp(source, "-");
	char line[64];
	int fd = from_stdin ? STDIN_FILENO : open(source, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0) {
		error = -errno;
		complain("--key %s: %s", source, strerror(-error));
		return error;
	}
	error = read_line(fd, line, sizeof(line));
	if (!error)
		error = siphash_key_from_hex(line, key);
	if (error)
		complain("the key in %s is not 32 hexadecimal digits on one line", from_stdin ? "the first line of stdin" : source);
	if (!from_stdin)
		close(fd);
	return error;
}

static void ignore_signal(int number)
{
	(void)number; /* it only has to interrupt a system call */
}

int control_begin(struct control *control, bool watch_stdin)
{
	struct sigaction kick = { .sa_handler = ignore_signal }; /* without SA_RESTART */
	sigset_t stop;
	int error;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL); /* inherited by the threads */
	sigaction(SIGUSR1, &kick, NULL);
	signal(SIGPIPE, SIG_IGN);
	control->watch_stdin = watch_stdin;
	control->signal_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	if (control->signal_fd >= 0)
		return 0;
	error = -errno;
	complain("signalfd: %s", strerror(-error));
	return error;
}

int control_open(struct control *control, const char *source, struct siphash_key *key)
{
	int error = read_key(source, key);

	return error ? error : control_begin(control, !strcmp(source, "-"));
}

static void let_signals_through(struct control *control)
{
	struct signalfd_siginfo seen;
	sigset_t stop;

	while (read(control->signal_fd, &seen, sizeof(seen)) > 0)
		;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
	control->watch_stdin = false;
}

bool control_wait(struct control *control, int timeout_ms)
{
	struct pollfd watched[] = {
		{ .fd = control->signal_fd, .events = POLLIN },
		{ .fd = control->watch_stdin ? STDIN_FILENO : -1, .events = POLLIN },
	};
	char ignored[256];

	if (poll(watched, 2, timeout_ms) <= 0)
		return false;
	if (watched[1].revents && read(STDIN_FILENO, ignored, sizeof(ignored)) > 0)
		watched[1].revents = 0;
	if (!watched[0].revents && !watched[1].revents)
		return false;
	let_signals_through(control);
	return true;
}

void control_join(pthread_t thread, const _Atomic bool *done)
{
	while (!atomic_load(done)) {
		pthread_kill(thread, SIGUSR1);
		clock_pause_ns(2 * NS_PER_MS);
	}
	pthread_join(thread, NULL);
}
