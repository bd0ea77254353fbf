// SPDX-License-Identifier: Apache-2.0
/* latlab-probe: one static program for every machine of a bench. Verbs are a table; each has its own file. */
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "note.h"
#include "port.h"
#include "verbs.h"

static const struct verb {
	const char *name, *purpose;
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
} verbs[] = {
	{ "send", "send packets with a fixed period and record the stamps of each exchange", verb_send },
	{ "reflect", "answer the packets of one session", verb_reflect },
	{ "agent", "run programs on this machine for a controller, and undo its changes", agent_main },
	{ "xdp", "attach a pinned XDP program to an interface", verb_xdp },
	{ "now", "print this machine's clocks, read together", verb_now },
	{ "clock", "compare the clocks of this machine, and what its NICs stamp", verb_clock },
	{ "stall", "take a CPU, or stop a process, for a known time", verb_stall },
	{ "connect", "join standard input and output to a Unix socket", connect_main },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int help(void)
{
	printf("usage: latlab-probe VERB [--option value]...    latlab-probe VERB --help\n\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].purpose);
	printf("\nexit codes: 0 fine, %d usage, %d this machine cannot\n", EXIT_USAGE, EXIT_UNABLE);
	return EXIT_FINE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		complain("no verb: see latlab-probe --help");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	for (size_t i = 0; i < VERBS; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	complain("unknown verb '%.40s': see latlab-probe --help", argv[1]);
	return EXIT_USAGE;
}
