/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that an agent runs for its controller: its pipes, its process group, its end.
 */
#ifndef LATLAB_CHILD_H
#define LATLAB_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "command.h"

struct child {
	struct child *next;
	uint32_t id;		/* the controller's name for it */
	pid_t pid;		/* its process group too */
	int in, out, err;	/* our ends of its pipes; -1: closed. With a terminal, in == out */
	struct buf input;	/* not yet taken by the child */
	int input_ends;		/* close `in` when `input` is empty */
	int reaped;
	int status;		/* as wait(2) gives it */
};

/*
 * Starts the program, in a session of its own, with LATLAB_AGENT=mark in its environment; it dies
 * when this process dies. 0, or a negative errno: that of execvp(3), if it came to that; in `what`
 * (a static string) the step that failed.
 */
int child_start(uint32_t id, const struct command *c, const char *mark, struct child **out,
		const char **what);

/* To the whole process group. */
void child_signal(const struct child *c, int signo);

/* Closes our ends. The process is not touched. */
void child_free(struct child *c);

#endif
