// SPDX-License-Identifier: Apache-2.0
/*
 * clocks: `latlab-probe clock PART`. Each prints JSON, one line for each reading.
 *
 *   clock read --nic eth0 | --phc /dev/ptp0     the system's TAI clock beside a NIC's:
 *     {"tai_ns":N,"phc_ns":N,"width_ns":N,"way":"precise|extended|basic","tai_offset_ns":N}
 *   clock read --counter                        the system's TAI clock beside the processor's counter:
 *     {"tai_ns":N,"counter":N,"ticks":N,"of":"tsc|cntvct"}          the clock was read between counter and counter + ticks
 *     with --vcpu FOLDER also "offset":N,"ratio":N|null,"bits":N|null, of the KVM vCPU whose debugfs folder that is
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "clock.h"
#include "clocks.h"
#include "control.h"
#include "counter.h"
#include "hwstamp.h"
#include "note.h"
#include "phc.h"
#include "verbs.h"

struct read_config {
	const char *phc, *nic, *vcpu;
	bool counter;
	int64_t period_ns, count, tries;
};

#define AT(member) offsetof(struct read_config, member)

static const struct arg_option read_options[] = {
	{ "phc", ARG_TEXT, AT(phc), 0, 0, NULL, "the clock to compare with: /dev/ptp0" },
	{ "nic", ARG_INTERFACE, AT(nic), 0, 0, NULL, "the same, by the interface whose clock it is" },
	{ "counter", ARG_FLAG, AT(counter), 0, 0, NULL, "compare with the processor's counter" },
	{ "vcpu", ARG_TEXT, AT(vcpu), 0, 0, NULL, "with --counter: debugfs folder of a KVM vCPU, read with each line" },
	{ "period", ARG_DURATION, AT(period_ns), NS_PER_MS, 60 * NS_PER_S, NULL, "between two readings; default 125ms" },
	{ "count", ARG_INTEGER, AT(count), 1, 1000000000, NULL, "readings; without it: until stdin is closed" },
	{ "tries", ARG_INTEGER, AT(tries), 1, PHC_TRIES_MAX, NULL, "of which the tightest is taken; default 10" },
	{ 0 },
};

static const struct arg_command read_command = { "clock read", "compare two clocks of this machine", read_options };

static int read_phc_line(int fd, const struct read_config *config, enum phc_way *way)
{
	struct phc_reading reading;
	int64_t tai_offset_ns = clock_tai_offset_ns();
	int error = phc_read(fd, way, (unsigned int)config->tries, &reading);

	if (error) {
		complain("the clock cannot be read: %s", strerror(-error));
		return error;
	}
	printf("{\"tai_ns\":%" PRId64 ",\"phc_ns\":%" PRId64 ",\"width_ns\":%" PRId64 ",\"way\":\"%s\",\"tai_offset_ns\":%" PRId64 "}\n",
	       reading.system_ns + tai_offset_ns, reading.phc_ns, reading.width_ns, phc_way_names[reading.way], tai_offset_ns);
	return 0;
}

/* A number of debugfs, as it stands there. 0, or -ENOENT where there is no such file, or another -errno. */
static int read_number(const char *folder, const char *name, char *text, size_t size)
{
	char path[512], *end;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	end = fgets(text, (int)size, file);
	fclose(file);
	if (!end)
		return -EIO;
	text[strcspn(text, "\n")] = '\0';
	errno = 0;
	if (*text == '-')
		strtoll(text, &end, 10);
	else
		strtoull(text, &end, 10);
	return errno || end == text || *end ? -EIO : 0;
}

/* A processor that cannot scale its guests' counters has no files for it (arch/x86/kvm/debugfs.c). */
static int print_vcpu(const char *folder)
{
	static const struct {
		const char *file, *key;
		bool needed;
	} numbers[] = {
		{ "tsc-offset", "offset", true },
		{ "tsc-scaling-ratio", "ratio", false },
		{ "tsc-scaling-ratio-frac-bits", "bits", false },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int error = read_number(folder, numbers[i].file, text, sizeof(text));

		if (error && (error != -ENOENT || numbers[i].needed)) {
			complain("%s/%s: %s: KVM tells it of a running x86 guest, as root, where debugfs is mounted", folder,
				 numbers[i].file, strerror(-error));
			return error;
		}
		printf(",\"%s\":%s", numbers[i].key, error ? "null" : text);
	}
	return 0;
}

static int read_counter_line(const struct read_config *config)
{
	uint64_t counter = 0, ticks = UINT64_MAX;
	int64_t tai_ns = 0;
	int error = 0;

	for (int64_t i = 0; i < config->tries; i++) {
		uint64_t before = counter_now();
		int64_t now_ns = clock_now_ns(CLOCK_TAI);
		uint64_t after = counter_now();

		if (after - before < ticks) {
			counter = before;
			ticks = after - before;
			tai_ns = now_ns;
		}
	}
	printf("{\"tai_ns\":%" PRId64 ",\"counter\":%" PRIu64 ",\"ticks\":%" PRIu64 ",\"of\":\"" COUNTER_NAME "\"", tai_ns,
	       counter, ticks);
	if (config->vcpu)
		error = print_vcpu(config->vcpu);
	fputs("}\n", stdout);
	return error;
}

static int open_phc(const struct read_config *config, int *fd)
{
	char path[40];
	int error, number;

	if (config->phc)
		return phc_open(config->phc, fd);
	error = hwstamp_phc(config->nic, &number);
	if (error)
		return error;
	if (number < 0) {
		complain("--nic %s: it has no clock: its packets can only be stamped by the kernel", config->nic);
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "/dev/ptp%d", number);
	return phc_open(path, fd);
}

int clocks_read(int argc, char **argv)
{
	struct read_config config = { .period_ns = 125 * NS_PER_MS, .tries = 10 };
	int error = args_parse(&read_command, argc, argv, &config), fd = -1;
	enum phc_way way = PHC_PRECISE;
	struct control control;
	int64_t next_ns, wait_ns;

	if (error)
		return error < 0 ? EXIT_USAGE : EXIT_FINE;
	if (!!config.phc + !!config.nic + config.counter != 1 || (config.vcpu && !config.counter)) {
		complain("clock read needs one of --phc PATH, --nic IFNAME and --counter; --vcpu goes with --counter");
		return EXIT_USAGE;
	}
	if ((!config.counter && open_phc(&config, &fd)) || control_begin(&control, !config.count))
		return EXIT_UNABLE;
	next_ns = clock_now_ns(CLOCK_MONOTONIC);
	for (int64_t done = 0; !config.count || done < config.count; done++) {
		/* From its beginning to its beginning; what has been missed is left out. */
		wait_ns = done ? next_ns - clock_now_ns(CLOCK_MONOTONIC) : 0;
		if (control_wait(&control, wait_ns > 0 ? (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS) : 0))
			return EXIT_FINE;
		next_ns = (wait_ns < -config.period_ns ? clock_now_ns(CLOCK_MONOTONIC) : next_ns) + config.period_ns;
		error = config.counter ? read_counter_line(&config) : read_phc_line(fd, &config, &way);
		/* Nobody reads it any more: no reason to go on, and nobody to tell. */
		if (fflush(stdout) || error)
			return EXIT_UNABLE;
	}
	return EXIT_FINE;
}

static const struct part {
	const char *name, *purpose;
	int (*run)(int argc, char **argv);
} parts[] = {
	{ "read", "compare the system's clock with a NIC's or with the processor's counter", clocks_read },
	{ "state", "the system clock's frequency, its TAI offset, and what tells a step", clocks_state },
	{ "stamps", "what a NIC can stamp, and what it has been told to", clocks_stamps },
	{ "filter", "tell a NIC which packets to stamp", clocks_filter },
	{ "step", "set the system clock by so many ns; for an emulated machine", clocks_step },
	{ "frequency", "let the system clock run so many ppb faster; for an emulated machine", clocks_frequency },
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

int verb_clock(int argc, char **argv)
{
	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		printf("latlab-probe clock PART [--option value]...    latlab-probe clock PART --help\n\n");
		for (size_t i = 0; i < PARTS; i++)
			printf("  %-10s %s\n", parts[i].name, parts[i].purpose);
		return EXIT_FINE;
	}
	for (size_t i = 0; argc >= 2 && i < PARTS; i++)
		if (!strcmp(argv[1], parts[i].name))
			return parts[i].run(argc - 1, argv + 1);
	complain("clock: %s%.40s%s: see latlab-probe clock --help", argc < 2 ? "which part" : "unknown part '",
		 argc < 2 ? "" : argv[1], argc < 2 ? "" : "'");
	return EXIT_USAGE;
}
