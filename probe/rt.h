/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rt: what makes a thread punctual: a CPU of its own, SCHED_FIFO, memory that is never paged out.
 * Each is taken when it is allowed; a refusal becomes a warning, and the summary says what the kernel really gave.
 */
#ifndef PROBE_RT_H
#define PROBE_RT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "note.h"

#define RT_STACK_SIZE (128 * 1024) /* bytes; all of it is locked */

/*
 * When all of a session's threads share a CPU, the one that can finish a leg must run at once, not when the one that
 * began it goes to sleep: the receiver comes before the reflector, and that before the sender of packets.
 */
enum { RT_REFLECT_BELOW = 1, RT_TRANSMIT_BELOW = 2 };

/* The priority `steps` below, but never below 1; 0 stays 0. */
static inline int64_t rt_below(int64_t fifo, int64_t steps)
{
	return fifo > steps ? fifo - steps : fifo > 0;
}

struct rt_config {
	int64_t fifo;   /* SCHED_FIFO priority, 0 = leave the scheduler alone */
	int64_t cpu;    /* -1 = any */
};

struct rt_result {
	char scheduler[32];     /* "SCHED_FIFO 80", "SCHED_OTHER": read back from the kernel */
	int cpu;                /* -1 = any */
};

/* Starts a thread that first applies `config` to itself, then runs `body(context)`. 0 or -errno. */
int rt_thread(pthread_t *thread, const struct rt_config *config, void *(*body)(void *), void *context,
	      struct rt_result *result, struct warnings *warnings);

/* Locks all memory there is now: call it when everything is allocated and the threads exist. */
bool rt_lock_memory(struct warnings *warnings);

#endif
