// SPDX-License-Identifier: Apache-2.0
/* The agent: one loop over the controller's stream, the children's pipes and their ends. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "buf.h"
#include "child.h"
#include "command.h"
#include "frame.h"
#include "journal.h"
#include "port.h"

#define CHUNK		65536		/* bytes read from a child at once */
#define OUTPUT_LIMIT	(4 << 20)	/* bytes waiting for the controller, above which children wait */
#define DRAIN_LIMIT	(1 << 20)	/* bytes: the most that a pipe holds (fs.pipe-max-size) */
#define GRACE_MS	1500		/* between SIGTERM and SIGKILL */
#define KILL_MS		10000		/* for what SIGKILL does not end at once: a process stuck in the kernel */

struct agent {
	int in, out, signals;
	char folder[PATH_MAX / 2];
	struct journal *journal;
	struct buf input, output;
	struct child *children;
	uint8_t greeting[FRAME_GREETING];
	int greeted;
	int leaving;	/* the controller went, or we were told to go */
};

static void say(struct agent *a, uint8_t type, uint32_t id, const void *payload, size_t len)
{
	if (frame_append(&a->output, type, id, payload, len))
		a->leaving = 1;
}

static void say_text(struct agent *a, uint8_t type, uint32_t id, const char *text)
{
	say(a, type, id, text, strlen(text));
}

static struct child *find_child(struct agent *a, uint32_t id)
{
	struct child *c = a->children;

	while (c && c->id != id)
		c = c->next;
	return c;
}

/* A JSON string of `text`, control characters as spaces: the report is for people to read. */
static void append_json(struct buf *b, const char *text, size_t len)
{
	buf_append_str(b, "\"");
	for (size_t i = 0; i < len; i++) {
		char c = text[i] < 0x20 && text[i] >= 0 ? ' ' : text[i];

		if (c == '"' || c == '\\')
			buf_append_str(b, "\\");
		buf_append(b, &c, 1);
	}
	buf_append_str(b, "\"");
}

static void append_recovered(struct buf *b, const struct buf *report)
{
	const char *line = (const char *)buf_head(report);
	size_t left = report->len;

	buf_append_str(b, "[");
	while (left) {
		const char *eol = memchr(line, '\n', left);
		/* "1 " or "0 ", the exit code, a space, the command: see journal.h. */
		const char *code = line + 2;
		const char *command = memchr(code, ' ', left - 2) + 1;

		buf_append_str(b, left == report->len ? "{\"newest\":" : ",{\"newest\":");
		buf_append_str(b, *line == '1' ? "true" : "false");
		buf_append_str(b, ",\"exit_code\":");
		buf_append(b, code, (size_t)(command - 1 - code));
		buf_append_str(b, ",\"command\":");
		append_json(b, command, (size_t)(eol - command));
		buf_append_str(b, "}");
		left -= (size_t)(eol + 1 - line);
		line = eol + 1;
	}
	buf_append_str(b, "]");
}

static void say_hello(struct agent *a, const struct buf *recovered)
{
	char boot_id[64] = "", text[1024];
	struct utsname u;
	struct buf b = { 0 };
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	if (f) {
		if (fgets(boot_id, sizeof(boot_id), f))
			boot_id[strcspn(boot_id, "\n")] = 0;
		fclose(f);
	}
	uname(&u);
	snprintf(text, sizeof(text),
		 "{\"id\":\"%s\",\"pid\":%d,\"uid\":%u,\"machine\":\"%s\",\"kernel\":\"%s\",\"boot_id\":\"%s\","
		 "\"cpus\":%ld,\"recovered\":",
		 journal_id(a->journal), getpid(), geteuid(), u.machine, u.release, boot_id,
		 sysconf(_SC_NPROCESSORS_ONLN));
	buf_append_str(&b, text);
	append_recovered(&b, recovered);
	buf_append_str(&b, "}");
	say(a, FRAME_HELLO, 0, buf_head(&b), b.len);
	buf_free(&b);
}

static void start(struct agent *a, const struct frame *f)
{
	struct command c;
	struct child *child;
	const char *what;
	char text[512];
	uint32_t pid;
	int err = command_parse(f->payload, f->len, &c);

	if (err || find_child(a, f->id)) {
		say_text(a, FRAME_FAILED, f->id, "not a command");
		if (!err)
			command_free(&c);
		return;
	}

	err = child_start(f->id, &c, journal_id(a->journal), &child, &what);
	if (err) {
		snprintf(text, sizeof(text), "%s: %s", what, strerror(-err));
		say_text(a, FRAME_FAILED, f->id, text);
	} else {
		child->next = a->children;
		a->children = child;
		pid = (uint32_t)child->pid;
		say(a, FRAME_STARTED, f->id, &pid, sizeof(pid));
	}
	command_free(&c);
}

static void acknowledge(struct agent *a, uint32_t id, int err)
{
	say_text(a, FRAME_ACK, id, err ? strerror(-err) : "");
}

static void handle(struct agent *a, const struct frame *f)
{
	struct child *c = find_child(a, f->id);

	switch (f->type) {
	case FRAME_START:
		start(a, f);
		break;
	case FRAME_STDIN:
		/* A child that has ended takes nothing more: not an error. */
		if (!c || c->in < 0)
			break;
		if (!f->len)
			c->input_ends = 1;
		else if (buf_append(&c->input, f->payload, f->len))
			a->leaving = 1;
		break;
	case FRAME_SIGNAL:
		if (c && f->len == 1)
			child_signal(c, f->payload[0]);
		break;
	case FRAME_DEFER:
		acknowledge(a, f->id, journal_defer(a->journal, f->payload, f->len));
		break;
	case FRAME_DROP:
		acknowledge(a, f->id, journal_drop(a->journal));
		break;
	case FRAME_BYE:
		a->leaving = 1;
		break;
	default:
		fprintf(stderr, "latlab-probe agent: frame of unknown type %u\n", f->type);
		a->leaving = 1;
	}
}

static void handle_input(struct agent *a, const struct buf *recovered)
{
	struct frame f;
	int found, ok;

	if (!a->greeted) {
		buf_consume(&a->input, frame_find_greeting(buf_head(&a->input), a->input.len, &found));
		if (!found)
			return;
		memcpy(a->greeting, buf_head(&a->input), FRAME_GREETING);
		buf_append(&a->output, a->greeting, FRAME_GREETING);
		buf_consume(&a->input, FRAME_GREETING);
		a->greeted = 1;
		say_hello(a, recovered);
	}

	for (;;) {
		ok = frame_parse(buf_head(&a->input), a->input.len, &f);
		if (ok > 0) {
			handle(a, &f);
			buf_consume(&a->input, f.size);
		} else if (ok < 0 && a->input.len >= FRAME_GREETING &&
			   !memcmp(buf_head(&a->input), a->greeting, FRAME_GREETING)) {
			/* A controller repeats its greeting until it is heard. */
			buf_consume(&a->input, FRAME_GREETING);
		} else {
			break;
		}
	}
	if (ok < 0 && !frame_may_greet(buf_head(&a->input), a->input.len)) {
		fprintf(stderr, "latlab-probe agent: the controller's stream is not ours\n");
		a->leaving = 1;
	}
}

/* Passes on what a child printed. Returns 1 when that end was closed. */
static int pass_on(struct agent *a, const struct child *c, int fd, uint8_t type)
{
	static uint8_t chunk[CHUNK];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n > 0)
		say(a, type, c->id, chunk, (size_t)n);
	/* A terminal whose other end is closed says EIO. */
	return !n || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void close_end(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* What stands in a pipe, and no more: a grandchild may go on writing for ever. */
static void drain(struct agent *a, const struct child *c, int fd, uint8_t type)
{
	size_t start = a->output.len, before;

	if (fd < 0)
		return;
	do {
		before = a->output.len;
	} while (!pass_on(a, c, fd, type) && a->output.len > before && before - start < DRAIN_LIMIT);
}

static void forget(struct agent *a, struct child *c)
{
	struct child **link = &a->children;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	child_free(c);
}

/* The child itself is gone: what it printed is in the pipes, whoever else holds them open. */
static void finish(struct agent *a, struct child *c)
{
	int32_t code = WIFEXITED(c->status) ? WEXITSTATUS(c->status) : -WTERMSIG(c->status);

	drain(a, c, c->out, FRAME_STDOUT);
	drain(a, c, c->err, FRAME_STDERR);
	say(a, FRAME_EXIT, c->id, &code, sizeof(code));
	forget(a, c);
}

static void reap(struct agent *a)
{
	struct child *c, *next;
	int status;
	pid_t pid;

	/* As process 1 of a machine we are given orphans too: they are reaped, and nobody's. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (c = a->children; c; c = c->next) {
			if (c->pid == pid) {
				c->reaped = 1;
				c->status = status;
			}
		}
	}
	for (c = a->children; c; c = next) {
		next = c->next;
		if (c->reaped)
			finish(a, c);
	}
}

static void feed(struct child *c)
{
	if (c->in < 0)
		return;
	if (buf_flush(&c->input, c->in)) {
		close_end(&c->in);
		return;
	}
	if (c->input_ends && !c->input.len)
		close_end(&c->in);
}

/* Fills `fds`: the stream in, the stream out, signals, then three for each child. */
static nfds_t gather(const struct agent *a, struct pollfd **fds, size_t *cap)
{
	int full = a->output.len > OUTPUT_LIMIT;
	nfds_t n = 3;

	for (const struct child *c = a->children; c; c = c->next)
		n += 3;
	if (n > *cap) {
		struct pollfd *grown = realloc(*fds, n * sizeof(*grown));

		if (!grown)
			abort();
		*fds = grown;
		*cap = n;
	}

	(*fds)[0] = (struct pollfd){ .fd = a->in, .events = POLLIN };
	(*fds)[1] = (struct pollfd){ .fd = a->output.len ? a->out : -1, .events = POLLOUT };
	(*fds)[2] = (struct pollfd){ .fd = a->signals, .events = POLLIN };
	n = 3;
	for (const struct child *c = a->children; c; c = c->next) {
		(*fds)[n++] = (struct pollfd){ .fd = full ? -1 : c->out, .events = POLLIN };
		(*fds)[n++] = (struct pollfd){ .fd = full ? -1 : c->err, .events = POLLIN };
		(*fds)[n++] = (struct pollfd){ .fd = c->input.len || c->input_ends ? c->in : -1, .events = POLLOUT };
	}
	return n;
}

static void serve_children(struct agent *a, const struct pollfd *fds)
{
	nfds_t n = 3;

	for (struct child *c = a->children; c; c = c->next, n += 3) {
		if (fds[n].revents && pass_on(a, c, c->out, FRAME_STDOUT))
			close_end(&c->out);
		if (fds[n + 1].revents && pass_on(a, c, c->err, FRAME_STDERR))
			close_end(&c->err);
		if (fds[n + 2].revents)
			feed(c);
	}
}

static void read_stream(struct agent *a, const struct buf *recovered)
{
	static uint8_t chunk[CHUNK];
	ssize_t n = read(a->in, chunk, sizeof(chunk));

	if (n > 0 && !buf_append(&a->input, chunk, (size_t)n))
		handle_input(a, recovered);
	else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		a->leaving = 1;
}

static void take_signal(struct agent *a)
{
	struct signalfd_siginfo info;

	while (read(a->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			a->leaving = 1;
	}
	reap(a);
}

/* Ends every child and what it left behind, then undoes what is deferred. */
static void leave(struct agent *a)
{
	const struct timespec nap = { .tv_nsec = 5000000 };

	for (struct child *c = a->children; c; c = c->next)
		child_signal(c, SIGTERM);
	for (int i = 0; a->children && i < GRACE_MS / 5; i++) {
		nanosleep(&nap, NULL);
		reap(a);
	}
	journal_kill_marked(journal_id(a->journal), KILL_MS);
	for (int i = 0; a->children && i < KILL_MS / 5; i++) {
		child_signal(a->children, SIGKILL);
		nanosleep(&nap, NULL);
		reap(a);
	}
	while (a->children)
		forget(a, a->children);
	journal_undo(a->journal);
	a->journal = NULL;
}

/* One controller, from its greeting to its going. */
static int converse(struct agent *a)
{
	struct buf recovered = { 0 };
	struct pollfd *fds = NULL;
	size_t cap = 0;
	int err;

	journal_recover(a->folder, &recovered);
	err = journal_create(a->folder, &a->journal);
	if (err)
		goto out;

	while (!a->leaving) {
		nfds_t n = gather(a, &fds, &cap);

		if (poll(fds, n, -1) < 0 && errno != EINTR) {
			err = -errno;
			break;
		}
		serve_children(a, fds);
		if (fds[2].revents)
			take_signal(a);
		if (fds[0].revents)
			read_stream(a, &recovered);
		if (a->output.len && buf_flush(&a->output, a->out))
			a->leaving = 1;
	}

	leave(a);
	say_text(a, FRAME_ACK, 0, "");
	buf_flush(&a->output, a->out);
out:
	buf_free(&recovered);
	buf_free(&a->input);
	buf_free(&a->output);
	free(fds);
	a->greeted = a->leaving = 0;
	return err;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C is for the controller, which then tells us what to do. */
	signal(SIGINT, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Takes standard input and output for ourselves: children get their own. */
static int take_stdio(struct agent *a)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	a->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
	a->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);
	if (null < 0 || a->in < 0 || a->out < 0)
		return -errno;
	dup2(null, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	fcntl(a->in, F_SETFL, O_NONBLOCK);
	fcntl(a->out, F_SETFL, O_NONBLOCK);
	return 0;
}

static int serve_port(struct agent *a, const char *name)
{
	for (;;) {
		int err = port_open(name, &a->in);

		if (err)
			return err;
		a->out = a->in;
		err = converse(a);
		close(a->in);
		if (err)
			return err;
	}
}

int agent_main(int argc, char **argv)
{
	struct agent a = { 0 };
	int err;

	if (argc != 1 && !(argc == 3 && !strcmp(argv[1], "--port"))) {
		fprintf(stderr, "usage: latlab-probe agent [--port NAME]\n");
		return 3;
	}

	setsid();
	a.signals = open_signals();
	err = journal_folder(a.folder, sizeof(a.folder));
	if (err) {
		fprintf(stderr, "latlab-probe agent: %s: not a folder of ours to keep the undo journal in: %s\n",
			a.folder, strerror(-err));
		return 4;
	}

	if (argc == 3)
		err = serve_port(&a, argv[2]);
	else
		err = take_stdio(&a) ?: converse(&a);
	if (err)
		fprintf(stderr, "latlab-probe agent: %s\n", strerror(-err));
	return err ? 4 : 0;
}
