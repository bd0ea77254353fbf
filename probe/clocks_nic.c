// SPDX-License-Identifier: Apache-2.0
/* clocks_nic: what a NIC can stamp, and telling it to; the former settings are printed, so that they can be restored. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "clocks.h"
#include "hwstamp.h"
#include "note.h"

struct nic_config {
	const char *nic;
	int64_t transmit, receive;
};

#define AT(member) offsetof(struct nic_config, member)

static const struct arg_option stamps_options[] = {
	{ "nic", ARG_INTERFACE, AT(nic), 0, 0, NULL, "the interface" },
	{ 0 },
};

static const struct arg_command stamps_command = { "clock stamps", "what a NIC can stamp, as JSON", stamps_options };

int clocks_stamps(int argc, char **argv)
{
	struct nic_config config = { 0 };
	int parsed = args_parse(&stamps_command, argc, argv, &config);

	if (parsed)
		return parsed < 0 ? EXIT_USAGE : EXIT_FINE;
	if (!config.nic) {
		complain("clock stamps needs --nic IFNAME");
		return EXIT_USAGE;
	}
	return hwstamp_describe(config.nic, stdout) ? EXIT_UNABLE : EXIT_FINE;
}

static int wrong_choice(const char *option, const char *const *names)
{
	char list[320] = "";

	for (int i = 0; names[i]; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", names[i]);
	complain("clock filter needs --%s: %s", option, list);
	return EXIT_USAGE;
}

static const struct arg_option filter_options[] = {
	{ "nic", ARG_INTERFACE, AT(nic), 0, 0, NULL, "the interface" },
	{ "receive", ARG_CHOICE, AT(receive), 0, 0, hwstamp_receive_names, "which received packets it stamps" },
	{ "transmit", ARG_CHOICE, AT(transmit), 0, 0, hwstamp_transmit_names, "on: packets for which it is asked" },
	{ 0 },
};

static const struct arg_command filter_command = { "clock filter", "tell a NIC which packets to stamp", filter_options };

static const char *reason(int error)
{
	return error == -ERANGE ? "its driver has no such filter" : strerror(-error);
}

int clocks_filter(int argc, char **argv)
{
	struct nic_config config = { .transmit = -1, .receive = -1 };
	struct hwstamp_config former, now;
	int parsed = args_parse(&filter_command, argc, argv, &config), error;

	if (parsed)
		return parsed < 0 ? EXIT_USAGE : EXIT_FINE;
	if (!config.nic) {
		complain("clock filter needs --nic IFNAME");
		return EXIT_USAGE;
	}
	if (config.receive < 0)
		return wrong_choice("receive", hwstamp_receive_names);
	if (config.transmit < 0)
		return wrong_choice("transmit", hwstamp_transmit_names);
	now = (struct hwstamp_config){ (int)config.transmit, (int)config.receive };
	error = hwstamp_get(config.nic, &former);
	if (!error)
		error = hwstamp_set(config.nic, &now);
	if (error) {
		complain("--nic %s: its stamps cannot be set so: %s: `latlab-probe clock stamps --nic %s` shows what it has",
			 config.nic, reason(error), config.nic);
		return EXIT_UNABLE;
	}
	fputs("{\"former\":", stdout);
	hwstamp_print(stdout, &former);
	fputs(",\"now\":", stdout);
	hwstamp_print(stdout, &now);
	fputs("}\n", stdout);
	return EXIT_FINE;
}
