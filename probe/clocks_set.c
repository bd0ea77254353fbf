// SPDX-License-Identifier: Apache-2.0
/*
 * clocks_set: faults of known size for the clock of an emulated machine, and how they are taken back.
 *
 * A step moves CLOCK_REALTIME and CLOCK_TAI against CLOCK_MONOTONIC, which nothing else does: frequency moves them
 * together. So their difference tells whether a step has been made, and `--from` makes its undoing safe to run twice, or
 * when it was never made.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>

#include "args.h"
#include "clock.h"
#include "clocks.h"
#include "note.h"

#define TRIES 25
#define STEP_MAX_NS (86400 * NS_PER_S)
#define FREQUENCY_MAX_PPB 500000 /* MAXFREQ_SCALED in the kernel's include/linux/timex.h */
#define SCALED_PER_PPM 65536     /* what adjtimex(2) counts frequencies in: 2^-16 ppm */

static const struct arg_option no_options[] = { { 0 } };
static const struct arg_command state_command = { "clock state", "how the system clock is set", no_options };

/* CLOCK_REALTIME - CLOCK_MONOTONIC, tightest of some readings; *width_ns is how far they stood apart. */
static int64_t wall_offset_ns(int64_t *width_ns)
{
	int64_t offset_ns = 0;

	*width_ns = INT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		int64_t before_ns = clock_now_ns(CLOCK_MONOTONIC);
		int64_t wall_ns = clock_now_ns(CLOCK_REALTIME);
		int64_t after_ns = clock_now_ns(CLOCK_MONOTONIC);

		if (after_ns - before_ns < *width_ns) {
			*width_ns = after_ns - before_ns;
			offset_ns = wall_ns - before_ns - *width_ns / 2;
		}
	}
	return offset_ns;
}

static int adjust(struct timex *timex)
{
	if (adjtimex(timex) >= 0)
		return 0;
	complain("adjtimex: %s: it needs root or CAP_SYS_TIME", strerror(errno));
	return -1;
}

int clocks_state(int argc, char **argv)
{
	struct timex now = { 0 };
	int64_t width_ns, offset_ns;
	int parsed = args_parse(&state_command, argc, argv, NULL);

	if (parsed)
		return parsed < 0 ? EXIT_USAGE : EXIT_FINE;
	if (adjust(&now))
		return EXIT_UNABLE;
	offset_ns = wall_offset_ns(&width_ns);
	printf("{\"wall_offset_ns\":%" PRId64 ",\"width_ns\":%" PRId64 ",\"tai_offset_ns\":%" PRId64
	       ",\"frequency_ppb\":%.3f,\"frequency_scaled\":%ld}\n",
	       offset_ns, width_ns, clock_tai_offset_ns(), (double)now.freq * 1000 / SCALED_PER_PPM, now.freq);
	return EXIT_FINE;
}

/* A whole number with or without a sign. 0 or -EINVAL, silent. */
static int signed_integer(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	int error = args_integer(text + (negative || *text == '+'), value);

	if (!error && negative)
		*value = -*value;
	return error;
}

/* argv[1] is the amount. 0, or the exit code + 1 when all is said: help was asked for, or it is wrong. */
static int parse(const struct arg_command *command, const char *unit, int argc, char **argv, int64_t *amount, void *config)
{
	int parsed;

	if (argc < 2 || !strncmp(argv[1], "--", 2)) {
		parsed = args_parse(command, argc, argv, config);
		if (parsed == ARGS_HELP)
			return EXIT_FINE + 1;
		if (parsed == ARGS_RUN)
			complain("%s: the amount is missing: write it first, in %s", command->name, unit);
		return EXIT_USAGE + 1;
	}
	if (signed_integer(argv[1], amount)) {
		complain("%s: '%.40s' is not a whole number of %s", command->name, argv[1], unit);
		return EXIT_USAGE + 1;
	}
	parsed = args_parse(command, argc - 1, argv + 1, config);
	return parsed == ARGS_RUN ? 0 : (parsed == ARGS_HELP ? EXIT_FINE : EXIT_USAGE) + 1;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

static bool is_allowed(const struct arg_command *command, bool mine)
{
	if (!mine)
		complain("%s: it changes this machine's clock for everybody: add --this-clock-is-mine where that is meant",
			 command->name);
	return mine;
}

struct step_config {
	bool mine;
	const char *from;
};

static const struct arg_option step_options[] = {
	{ "this-clock-is-mine", ARG_FLAG, offsetof(struct step_config, mine), 0, 0, NULL, "nobody else needs this clock" },
	{ "from", ARG_TEXT, offsetof(struct step_config, from), 0, 0, NULL,
	  "only if wall_offset_ns (see clock state) is nearer to this than to where the step would end" },
	{ 0 },
};

static const struct arg_command step_command = { "clock step", "set the system clock forward by NS", step_options };

static int step(int64_t step_ns)
{
	struct timex before = { 0 }, timex = { .modes = ADJ_SETOFFSET | ADJ_NANO }, units = { .modes = ADJ_MICRO };

	if (adjust(&before))
		return -1;
	/* The "microseconds" are never negative, and are nanoseconds here. */
	timex.time.tv_sec = step_ns / NS_PER_S - (step_ns % NS_PER_S < 0);
	timex.time.tv_usec = step_ns - timex.time.tv_sec * NS_PER_S;
	if (adjust(&timex))
		return -1;
	/* ADJ_NANO stays, and others would read their numbers in other units. */
	return before.status & STA_NANO ? 0 : adjust(&units);
}

int clocks_step(int argc, char **argv)
{
	struct step_config config = { 0 };
	int64_t step_ns = 0, from_ns = 0, width_ns, before_ns;
	int said = parse(&step_command, "ns", argc, argv, &step_ns, &config);
	bool needed = true;

	if (said)
		return said - 1;
	if (step_ns < -STEP_MAX_NS || step_ns > STEP_MAX_NS) {
		complain("clock step: %.40s ns is out of range: at most a day, 86400000000000 ns, either way", argv[1]);
		return EXIT_USAGE;
	}
	if (config.from && (signed_integer(config.from, &from_ns) || distance(from_ns, 0) > INT64_MAX / 4)) {
		complain("--from: '%.40s' is not a difference of clocks in ns", config.from);
		return EXIT_USAGE;
	}
	if (!is_allowed(&step_command, config.mine))
		return EXIT_USAGE;
	before_ns = wall_offset_ns(&width_ns);
	if (config.from)
		needed = distance(before_ns, from_ns) <= distance(before_ns, from_ns + step_ns);
	if (needed && step(step_ns))
		return EXIT_UNABLE;
	printf("{\"stepped_ns\":%" PRId64 ",\"wall_offset_ns\":{\"before\":%" PRId64 ",\"after\":%" PRId64 "}}\n",
	       needed ? step_ns : 0, before_ns, wall_offset_ns(&width_ns));
	return EXIT_FINE;
}

struct frequency_config {
	bool mine, scaled;
};

static const struct arg_option frequency_options[] = {
	{ "this-clock-is-mine", ARG_FLAG, offsetof(struct frequency_config, mine), 0, 0, NULL, "nobody else needs this clock" },
	{ "scaled", ARG_FLAG, offsetof(struct frequency_config, scaled), 0, 0, NULL,
	  "the amount is in the kernel's own unit, 2^-16 ppm, to restore it to the bit" },
	{ 0 },
};

static const struct arg_command frequency_command = { "clock frequency", "let the system clock run faster by PPB",
						      frequency_options };

int clocks_frequency(int argc, char **argv)
{
	struct frequency_config config = { 0 };
	struct timex before = { 0 }, timex = { .modes = ADJ_FREQUENCY };
	int64_t amount = 0, max;
	int said = parse(&frequency_command, "ppb", argc, argv, &amount, &config);

	if (said)
		return said - 1;
	max = config.scaled ? FREQUENCY_MAX_PPB / 1000 * SCALED_PER_PPM : FREQUENCY_MAX_PPB;
	if (amount < -max || amount > max) {
		complain("clock frequency: %.40s is out of range: the kernel takes -500000 to 500000 ppb", argv[1]);
		return EXIT_USAGE;
	}
	if (!is_allowed(&frequency_command, config.mine))
		return EXIT_USAGE;
	timex.freq = config.scaled ? amount : (amount * SCALED_PER_PPM + (amount < 0 ? -500 : 500)) / 1000;
	if (adjust(&before) || adjust(&timex))
		return EXIT_UNABLE;
	printf("{\"previous_ppb\":%.3f,\"previous_scaled\":%ld,\"frequency_scaled\":%ld}\n",
	       (double)before.freq * 1000 / SCALED_PER_PPM, before.freq, timex.freq);
	return EXIT_FINE;
}
