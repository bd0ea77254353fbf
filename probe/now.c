// SPDX-License-Identifier: Apache-2.0
/*
 * now: what this machine's clocks say together, once or again and again, one JSON object a line. Who reads a log that is
 * stamped with CLOCK_MONOTONIC, as linuxptp's are, puts it on CLOCK_TAI by these, and sees when that clock was stepped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "clock.h"
#include "note.h"
#include "verbs.h"

struct now_config {
	int64_t period_ns;
};

static const struct arg_option options[] = {
	{ "period", ARG_DURATION, offsetof(struct now_config, period_ns), NS_PER_MS, 3600 * NS_PER_S, NULL,
	  "say it again after so long, until stopped; once unless given" },
	{ 0 },
};

static const struct arg_command command = { "now", "print this machine's clocks, read together", options };

/* Read between two readings of the other: of the tightest of a few, so that an interruption does not tear them apart. */
static int print_clocks(void)
{
	int64_t best_ns = INT64_MAX, monotonic_ns = 0, tai_ns = 0;

	for (int i = 0; i < 5; i++) {
		int64_t before_ns = clock_now_ns(CLOCK_MONOTONIC);
		int64_t between_ns = clock_now_ns(CLOCK_TAI);
		int64_t width_ns = clock_now_ns(CLOCK_MONOTONIC) - before_ns;

		if (width_ns < best_ns) {
			best_ns = width_ns;
			monotonic_ns = before_ns + width_ns / 2;
			tai_ns = between_ns;
		}
	}
	printf("{\"monotonic_ns\":%" PRId64 ",\"tai_ns\":%" PRId64 ",\"width_ns\":%" PRId64 ",\"tai_offset_s\":%" PRId64 "}\n",
	       monotonic_ns, tai_ns, best_ns, clock_tai_offset_ns() / NS_PER_S);
	return fflush(stdout) ? -errno : 0;
}

int verb_now(int argc, char **argv)
{
	struct now_config config = { 0 };
	int error = args_parse(&command, argc, argv, &config);

	if (error)
		return error == ARGS_HELP ? EXIT_FINE : EXIT_USAGE;
	do {
		error = print_clocks();
		if (error) {
			complain("now: %s", strerror(-error));
			return EXIT_UNABLE;
		}
		clock_pause_ns(config.period_ns);
	} while (config.period_ns);
	return EXIT_FINE;
}
