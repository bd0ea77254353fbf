// SPDX-License-Identifier: Apache-2.0
/*
 * stall: takes a CPU from everybody, or stops one process, for a time that is known to the microsecond. The self-test
 * injects it and asks whether it is found again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "args.h"
#include "clock.h"
#include "note.h"
#include "verbs.h"

struct stall_config {
	int64_t duration_ns, cpu, fifo, pid;
};

#define AT(member) offsetof(struct stall_config, member)

static const struct arg_option options[] = {
	{ "for", ARG_DURATION, AT(duration_ns), 1, 60 * NS_PER_S, NULL, "how long; a CPU for 1 s at most" },
	{ "cpu", ARG_INTEGER, AT(cpu), 0, 1023, NULL, "the CPU to take" },
	{ "fifo", ARG_INTEGER, AT(fifo), 1, 99, NULL, "SCHED_FIFO priority of this program; 99 goes before everything" },
	{ "pid", ARG_INTEGER, AT(pid), 2, INT32_MAX, NULL, "stop this process (SIGSTOP, SIGCONT) instead of taking a CPU" },
	{ 0 },
};

static const struct arg_command command = {
	"stall", "take a CPU, or stop a process, for a known time; its begin and end on CLOCK_TAI go to standard output", options,
};

/* What was asked for is had, or this is no stall of the size that it says. */
static int become_urgent(const struct stall_config *config)
{
	struct sched_param param = { .sched_priority = (int)config->fifo };
	cpu_set_t cpus;
	int error;

	if (config->cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)config->cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
			complain("CPU %d refused: %s", (int)config->cpu, strerror(errno));
			return -errno;
		}
	}
	/* Not sched_setscheduler: musl's is a stub. */
	error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	if (error)
		complain("SCHED_FIFO %d refused: %s: run as root, or give CAP_SYS_NICE", (int)config->fifo, strerror(error));
	return -error;
}

/* The duration is one of CLOCK_MONOTONIC: stepping the clock must not make a stall longer. */
static void spin(int64_t duration_ns)
{
	int64_t end_ns = clock_now_ns(CLOCK_MONOTONIC) + duration_ns;

	while (clock_now_ns(CLOCK_MONOTONIC) < end_ns)
		;
}

static int stop_process(const struct stall_config *config)
{
	struct timespec end = clock_timespec(clock_now_ns(CLOCK_MONOTONIC) + config->duration_ns);
	sigset_t all;

	/* Whoever ends us in the middle must not leave the other one stopped. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (kill((pid_t)config->pid, SIGSTOP)) {
		complain("process %d: %s", (int)config->pid, strerror(errno));
		return -errno;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	if (kill((pid_t)config->pid, SIGCONT)) {
		complain("process %d could not be continued: %s", (int)config->pid, strerror(errno));
		return -errno;
	}
	return 0;
}

/* What is left to do, and our end, must not be a part of the stall: on an emulated machine they take milliseconds. */
static void yield_to_all(void)
{
	struct sched_param param = { .sched_priority = 0 };

	(void)pthread_setschedparam(pthread_self(), SCHED_OTHER, &param); /* lowering it is always allowed */
}

int verb_stall(int argc, char **argv)
{
	static struct stall_config config = { .duration_ns = -1, .cpu = -1, .fifo = 99, .pid = -1 };
	int error = args_parse(&command, argc, argv, &config);
	int64_t start_ns, end_ns;

	if (error == ARGS_HELP)
		return EXIT_FINE;
	if (error)
		return EXIT_USAGE;
	if (config.duration_ns < 0) {
		complain("stall: --for is missing: say how long, as --for 5ms");
		return EXIT_USAGE;
	}
	if ((config.cpu < 0) == (config.pid < 0)) {
		complain("stall: say what to stall: --cpu N, or --pid N");
		return EXIT_USAGE;
	}
	/* Before we are urgent: it would be a part of the stall. Without it a page may be fetched in the middle. */
	mlockall(MCL_CURRENT);
	if (config.cpu >= 0 && config.duration_ns > NS_PER_S) {
		complain("stall: a CPU is taken for 1 s at most: nothing else runs there, not even what would end it");
		return EXIT_USAGE;
	}
	if (become_urgent(&config))
		return EXIT_UNABLE;
	start_ns = clock_now_ns(CLOCK_TAI);
	if (config.pid >= 0)
		error = stop_process(&config);
	else
		spin(config.duration_ns);
	end_ns = clock_now_ns(CLOCK_TAI);
	yield_to_all();
	if (error)
		return EXIT_UNABLE;
	printf("{\"start_ns\":%" PRId64 ",\"end_ns\":%" PRId64 "}\n", start_ns, end_ns);
	return EXIT_FINE;
}
