/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: how a running probe is told its key, and to stop: SIGTERM, SIGINT, or the end of stdin (so that it dies
 * with the connection that started it). A second signal ends it at once.
 */
#ifndef PROBE_CONTROL_H
#define PROBE_CONTROL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "siphash.h"

struct control {
	int signal_fd;
	bool watch_stdin;
};

/* `source` is "-" for the first line of stdin, which is then watched for its end, or a file. 0 or -errno, after one line. */
int control_open(struct control *control, const char *source, struct siphash_key *key);

/* The same without a key. */
int control_begin(struct control *control, bool watch_stdin);

/* Waits at most `timeout_ms`; true when told to stop (once: after that signals act as usual). */
bool control_wait(struct control *control, int timeout_ms);

/* Interrupts the thread's blocking calls until it has set `done`, then joins it. */
void control_join(pthread_t thread, const _Atomic bool *done);

#endif
