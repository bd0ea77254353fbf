// SPDX-License-Identifier: Apache-2.0
/* rt: threads with scheduler and CPU set before they measure anything, and mlockall. */
#define _GNU_SOURCE
#include "rt.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct start {
	const struct rt_config *config;
	struct rt_result *result;
	struct warnings *warnings;
	void *(*body)(void *);
	void *context;
	sem_t ready;
};

static void apply(const struct rt_config *config, struct rt_result *result, struct warnings *warnings)
{
	struct sched_param param = { .sched_priority = (int)config->fifo };
	cpu_set_t cpus;
	int error, policy;

	/* A file table of its own: while it is shared, every system call on a socket counts references. */
	if (unshare(CLONE_FILES))
		warn(warnings, "cannot have a file table of its own (%s): each packet costs a little more", strerror(errno));
	prctl(PR_SET_TIMERSLACK, 1UL); /* ns; the default of 50 us would be added to every wake-up outside SCHED_FIFO */
	result->cpu = -1;
	if (config->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)config->cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus))
			warn(warnings, "CPU %d refused (%s): not pinned; `nproc` and the cgroup's cpuset say which there are",
			     (int)config->cpu, strerror(errno));
		else
			result->cpu = (int)config->cpu;
	}
	if (config->fifo > 0) {
		error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
		if (error)
			warn(warnings, "SCHED_FIFO %d refused (%s): run as root, or give CAP_SYS_NICE or an RLIMIT_RTPRIO",
			     (int)config->fifo, strerror(error));
	}
	error = pthread_getschedparam(pthread_self(), &policy, &param);
	if (error)
		snprintf(result->scheduler, sizeof(result->scheduler), "unknown");
	else if (policy == SCHED_FIFO)
		snprintf(result->scheduler, sizeof(result->scheduler), "SCHED_FIFO %d", param.sched_priority);
	else if (policy == SCHED_RR)
		snprintf(result->scheduler, sizeof(result->scheduler), "SCHED_RR %d", param.sched_priority);
	else
		snprintf(result->scheduler, sizeof(result->scheduler), policy == SCHED_OTHER ? "SCHED_OTHER" : "policy %d",
			 policy);
}

static void *begin(void *argument)
{
	struct start *start = argument;
	void *(*body)(void *) = start->body;
	void *context = start->context;

	apply(start->config, start->result, start->warnings);
	sem_post(&start->ready); /* `start` is gone after this */
	return body(context);
}

int rt_thread(pthread_t *thread, const struct rt_config *config, void *(*body)(void *), void *context,
	      struct rt_result *result, struct warnings *warnings)
{
	struct start start = { config, result, warnings, body, context, { 0 } };
	pthread_attr_t attributes;
	int error;

	sem_init(&start.ready, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, RT_STACK_SIZE);
	error = pthread_create(thread, &attributes, begin, &start);
	pthread_attr_destroy(&attributes);
	if (error)
		complain("cannot start a thread: %s", strerror(error));
	while (!error && sem_wait(&start.ready))
		;
	sem_destroy(&start.ready);
	return -error;
}

bool rt_lock_memory(struct warnings *warnings)
{
	if (!mlockall(MCL_CURRENT))
		return true;
	warn(warnings, "memory not locked (%s): run as root, or raise RLIMIT_MEMLOCK (ulimit -l)", strerror(errno));
	return false;
}
