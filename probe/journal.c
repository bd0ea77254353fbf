// SPDX-License-Identifier: Apache-2.0
/* The undo journal: one record a command, kept locked while its agent lives. */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "journal.h"

#define SUFFIX		".journal"
#define KILL_MS		10000	/* the longest that dead agents' processes are waited for */
#define CREATE_TRIES	100
#define UNDO_SECONDS	15	/* the longest one undo command may take */
#define NOT_RUN		127	/* the exit code of what could not be started, as in a shell */

struct journal {
	int fd;
	char id[17];
	char path[PATH_MAX];
	struct buf *entries;	/* a stack: the newest is last */
	size_t count;
};

/* A record: 'D' and u32 length and the command, or 'P' alone. */
static int write_record(int fd, char kind, const uint8_t *data, uint32_t len)
{
	struct buf b = { 0 };
	off_t start = lseek(fd, 0, SEEK_END);
	ssize_t n;
	int err = start < 0 ? -errno : buf_append(&b, &kind, 1);

	if (!err && kind == 'D') {
		err = buf_append(&b, &len, sizeof(len));
		if (!err)
			err = buf_append(&b, data, len);
	}
	if (!err) {
		/* One write: a record is there as a whole, or cut off at the end of the file. */
		n = write(fd, buf_head(&b), b.len);
		if (n != (ssize_t)b.len)
			err = n < 0 ? -errno : -ENOSPC;
		/* No room for all of it: what follows must not be read as the rest of this one. */
		if (n > 0 && err && ftruncate(fd, start))
			err = -errno;
	}
	buf_free(&b);
	return err;
}

static int push(struct journal *j, const uint8_t *data, size_t len)
{
	struct buf *grown = realloc(j->entries, (j->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	j->entries = grown;
	memset(&grown[j->count], 0, sizeof(*grown));
	if (buf_append(&grown[j->count], data, len))
		return -ENOMEM;
	j->count++;
	return 0;
}

static void pop(struct journal *j)
{
	if (j->count)
		buf_free(&j->entries[--j->count]);
}

int journal_folder(char *path, size_t len)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	int n;

	if (!geteuid())
		n = snprintf(path, len, "/run/latlab");
	else if (runtime && runtime[0] == '/')
		n = snprintf(path, len, "%s/latlab", runtime);
	else
		n = snprintf(path, len, "/tmp/latlab-%u", geteuid());
	if (n < 0 || (size_t)n >= len)
		return -ENAMETOOLONG;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	/* In /tmp somebody else may have been there first: their commands are not ours to run. */
	if (lstat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	return 0;
}

/* -EAGAIN: somebody who recovers took the file for a dead agent's before we had locked it. */
static int try_create(const char *folder, struct journal *j)
{
	struct stat st;
	uint64_t random;
	int err = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;

	snprintf(j->id, sizeof(j->id), "%016llx", (unsigned long long)random);
	snprintf(j->path, sizeof(j->path), "%s/%s" SUFFIX, folder, j->id);
	j->fd = open(j->path, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return -errno;
	if (flock(j->fd, LOCK_EX | LOCK_NB) || fstat(j->fd, &st))
		err = -errno;
	else if (!st.st_nlink)
		err = -EAGAIN;
	if (err) {
		unlink(j->path);
		close(j->fd);
	}
	return err;
}

int journal_create(const char *folder, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));
	int err = -EAGAIN;

	if (!j)
		return -ENOMEM;
	for (int i = 0; err == -EAGAIN && i < CREATE_TRIES; i++)
		err = try_create(folder, j);
	if (err)
		free(j);
	else
		*out = j;
	return err;
}

const char *journal_id(const struct journal *j)
{
	return j->id;
}

int journal_defer(struct journal *j, const uint8_t *data, size_t len)
{
	struct command c;
	int err = command_parse(data, len, &c);

	if (err)
		return err;
	command_free(&c);

	err = write_record(j->fd, 'D', data, (uint32_t)len);
	return err ? err : push(j, data, len);
}

int journal_drop(struct journal *j)
{
	if (!j->count)
		return -ENOENT;
	pop(j);
	return write_record(j->fd, 'P', NULL, 0);
}

/* Waits for the child, at most UNDO_SECONDS. Its exit code, or minus the signal that ended it. */
static int wait_or_kill(pid_t pid)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int status = 0;
	pid_t found = 0;

	for (int i = 0; !found && i < UNDO_SECONDS * 200; i++) {
		found = waitpid(pid, &status, WNOHANG);
		if (!found)
			nanosleep(&nap, NULL);
	}
	if (!found) {
		kill(pid, SIGKILL);
		found = waitpid(pid, &status, 0);
	}
	if (found != pid)
		return NOT_RUN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* One line, as in journal.h; the command's own line ends become spaces. */
static void tell(struct buf *report, int newest, int code, char **argv)
{
	char text[24];

	snprintf(text, sizeof(text), "%d %d", newest, code);
	buf_append_str(report, text);
	for (; *argv; argv++) {
		buf_append_str(report, " ");
		for (const char *c = *argv; *c; c++)
			buf_append(report, *c == '\n' ? " " : c, 1);
	}
	buf_append_str(report, "\n");
}

static void run_quietly(const struct buf *entry, int newest, struct buf *report)
{
	struct command c;
	int code;
	pid_t pid;

	if (command_parse(buf_head(entry), entry->len, &c))
		return;

	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (int fd = 0; fd < 3 && null >= 0; fd++)
			dup2(null, fd);
		execvp(c.argv[0], c.argv);
		_exit(NOT_RUN);
	}
	code = pid > 0 ? wait_or_kill(pid) : NOT_RUN;
	if (report)
		tell(report, newest, code, c.argv);
	command_free(&c);
}

static void undo(struct journal *j, struct buf *report)
{
	int newest = 1;

	while (j->count) {
		run_quietly(&j->entries[j->count - 1], newest, report);
		newest = 0;
		/* Struck out one by one: if we are killed here too, the next reader goes on. */
		journal_drop(j);
	}
	free(j->entries);
	j->entries = NULL;
	unlink(j->path);
}

void journal_undo(struct journal *j)
{
	undo(j, NULL);
	close(j->fd);
	free(j);
}

static int load(struct journal *j)
{
	char kind;

	while (read(j->fd, &kind, 1) == 1) {
		uint32_t len;
		uint8_t *data;
		int err = 0;

		if (kind == 'P') {
			pop(j);
			continue;
		}
		/* A record that is cut off was never acknowledged, so its change was never made. */
		if (kind != 'D' || read(j->fd, &len, sizeof(len)) != sizeof(len) || len > 1 << 20)
			break;
		data = malloc(len);
		if (!data)
			return -ENOMEM;
		if (read(j->fd, data, len) == (ssize_t)len)
			err = push(j, data, len);
		free(data);
		if (err)
			return err;
	}
	return 0;
}

static int recover_one(const char *folder, const char *name, struct buf *report)
{
	struct journal j = { 0 };
	struct stat st;
	int found = 0;

	snprintf(j.path, sizeof(j.path), "%s/%s", folder, name);
	snprintf(j.id, sizeof(j.id), "%.16s", name);
	j.fd = open(j.path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (j.fd < 0)
		return 0;

	/* Somebody else may have recovered and removed it between our open and our lock. */
	if (!flock(j.fd, LOCK_EX | LOCK_NB) && !fstat(j.fd, &st) && st.st_nlink && !load(&j)) {
		journal_kill_marked(j.id, KILL_MS);
		undo(&j, report);
		found = 1;
	}
	close(j.fd);
	return found;
}

int journal_recover(const char *folder, struct buf *report)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int found = 0;

	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (len == 16 + sizeof(SUFFIX) - 1 && !strcmp(e->d_name + 16, SUFFIX))
			found += recover_one(folder, e->d_name, report);
	}
	closedir(dir);
	return found;
}

/* `mark` with its NUL, so that one id never matches the beginning of another. */
static int carries_mark(const char *pid, const char *mark, size_t mark_len)
{
	char path[64], chunk[16384];
	struct buf env = { 0 };
	const uint8_t *at;
	ssize_t n;
	int fd, found = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && !buf_append(&env, chunk, (size_t)n))
		;
	close(fd);

	at = env.len ? memmem(buf_head(&env), env.len, mark, mark_len) : NULL;
	while (at && !found) {
		size_t left = env.len - (size_t)(at + 1 - buf_head(&env));

		found = at == buf_head(&env) || !at[-1];
		at = memmem(at + 1, left, mark, mark_len);
	}
	buf_free(&env);
	return found;
}

static int kill_once(const char *id)
{
	char mark[64];
	struct dirent *e;
	int killed = 0;
	DIR *proc = opendir("/proc");

	if (!proc)
		return 0;
	snprintf(mark, sizeof(mark), "LATLAB_AGENT=%s", id);
	while ((e = readdir(proc))) {
		pid_t pid = atoi(e->d_name);

		if (pid > 1 && pid != getpid() && carries_mark(e->d_name, mark, strlen(mark) + 1))
			killed += !kill(pid, SIGKILL);
	}
	closedir(proc);
	return killed;
}

void journal_kill_marked(const char *id, int limit_ms)
{
	const struct timespec nap = { .tv_nsec = 2000000 };

	for (int i = 0; kill_once(id) && i < limit_ms / 2; i++)
		nanosleep(&nap, NULL);
}
