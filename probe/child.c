// SPDX-License-Identifier: Apache-2.0
/* A program that an agent runs for its controller. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "child.h"

/* What the new process tells its parent when it could not become the program. */
struct failure {
	int err;
	int step;
};

#define MAX_FILE	99	/* highest number under which a file is given to a program */

enum { STEP_FILE, STEP_EXEC };

static const char *const step_names[] = {
	[STEP_FILE] = "cannot open a file for it",
	[STEP_EXEC] = "cannot execute it",
};

struct ends {
	int in[2], out[2], err[2], failed[2];
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pair(int pair[2])
{
	close_fd(&pair[0]);
	close_fd(&pair[1]);
}

static int open_terminal(const struct command *c, int pair[2])
{
	struct winsize size = { .ws_row = (unsigned short)c->rows, .ws_col = (unsigned short)c->cols };
	char *name;

	pair[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pair[0] < 0 || grantpt(pair[0]) || unlockpt(pair[0]))
		return -errno;
	name = ptsname(pair[0]);
	if (!name)
		return -errno;
	/* The controlling terminal is taken in the child: see become(). */
	pair[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pair[1] < 0)
		return -errno;
	ioctl(pair[0], TIOCSWINSZ, &size);
	return 0;
}

static int open_ends(const struct command *c, struct ends *e)
{
	int moved;

	memset(e, 0xff, sizeof(*e));
	if (pipe2(e->failed, O_CLOEXEC))
		return -errno;
	/* Out of the way of the numbers under which files are given to the program. */
	moved = fcntl(e->failed[1], F_DUPFD_CLOEXEC, MAX_FILE + 1);
	if (moved < 0)
		return -errno;
	close_fd(&e->failed[1]);
	e->failed[1] = moved;
	if (c->rows)
		return open_terminal(c, e->out);
	if (pipe2(e->out, O_CLOEXEC) || pipe2(e->err, O_CLOEXEC))
		return -errno;
	if (c->keep_stdin && pipe2(e->in, O_CLOEXEC))
		return -errno;
	return 0;
}

static void give_up(const struct ends *e, int step)
{
	struct failure f = { .err = errno, .step = step };

	if (write(e->failed[1], &f, sizeof(f)) != sizeof(f))
		_exit(126);
	_exit(127);
}

/* In the new process: never returns. */
static void become(const struct command *c, const char *mark, const struct ends *e, pid_t parent)
{
	int in = e->in[0], err = e->err[1];
	sigset_t none;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);

	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	if (c->rows) {
		in = err = e->out[1];
		ioctl(e->out[1], TIOCSCTTY, 0);
	} else if (in < 0) {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	dup2(in, STDIN_FILENO);
	dup2(e->out[1], STDOUT_FILENO);
	dup2(err, STDERR_FILENO);

	setenv("LATLAB_AGENT", mark, 1);
	for (char **v = c->env; *v; v++)
		putenv(*v);

	for (char **f = c->files; *f; f++) {
		char *path;
		long want = strtol(*f, &path, 10);
		int fd;

		if (want < 3 || want > MAX_FILE || *path != '=') {
			errno = EINVAL;
			give_up(e, STEP_FILE);
		}
		fd = open(path + 1, O_RDWR);
		if (fd < 0 || (fd != want && dup2(fd, (int)want) < 0))
			give_up(e, STEP_FILE);
		if (fd != want)
			close(fd);
	}

	execvp(c->argv[0], c->argv);
	give_up(e, STEP_EXEC);
}

int child_start(uint32_t id, const struct command *c, const char *mark, struct child **out,
		const char **what)
{
	struct child *child = calloc(1, sizeof(*child));
	pid_t parent = getpid();
	struct failure f;
	struct ends e;
	int err;

	*what = "out of resources";
	if (!child)
		return -ENOMEM;
	err = open_ends(c, &e);
	if (err)
		goto out_close;

	child->pid = fork();
	if (child->pid < 0) {
		err = -errno;
		goto out_close;
	}
	if (!child->pid)
		become(c, mark, &e, parent);

	close_fd(&e.in[0]);
	close_fd(&e.out[1]);
	close_fd(&e.err[1]);
	close_fd(&e.failed[1]);
	/* End of file here means that execvp() closed the other end: the program runs. */
	if (read(e.failed[0], &f, sizeof(f)) == sizeof(f)) {
		*what = step_names[f.step];
		err = -f.err;
		goto out_close;
	}
	close_fd(&e.failed[0]);

	child->id = id;
	child->out = e.out[0];
	child->err = e.err[0];
	child->in = c->rows ? fcntl(e.out[0], F_DUPFD_CLOEXEC, 0) : e.in[1];
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	if (child->err >= 0)
		fcntl(child->err, F_SETFL, O_NONBLOCK);
	if (child->in >= 0)
		fcntl(child->in, F_SETFL, O_NONBLOCK);
	*out = child;
	return 0;

out_close:
	close_pair(e.in);
	close_pair(e.out);
	close_pair(e.err);
	close_pair(e.failed);
	free(child);
	return err;
}

void child_signal(const struct child *c, int signo)
{
	if (kill(-c->pid, signo) && !c->reaped)
		kill(c->pid, signo);
}

void child_free(struct child *c)
{
	close_fd(&c->in);
	close_fd(&c->out);
	close_fd(&c->err);
	buf_free(&c->input);
	free(c);
}
