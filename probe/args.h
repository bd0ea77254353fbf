/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args: options are a table. Each row names an option, its kind, its range, and where in the verb's structure its
 * value goes; the parser, the range checks and the help text all read the same row.
 */
#ifndef PROBE_ARGS_H
#define PROBE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum arg_kind {
	ARG_FLAG,       /* bool */
	ARG_INTEGER,    /* int64_t */
	ARG_DURATION,   /* int64_t, ns; written with its unit: 500ns 250us 1ms 2s */
	ARG_CHOICE,     /* int64_t, index into `choices` */
	ARG_MAC,        /* struct arg_mac */
	ARG_ADDRESS,    /* struct arg_address; written 192.0.2.1:7000 or [fe80::1%eth0]:7000 */
	ARG_INTERFACE,  /* const char *, 1 to 15 characters */
	ARG_TEXT,       /* const char *, not empty */
};

struct arg_mac {
	bool set;
	uint8_t bytes[6];
};

struct arg_address {
	socklen_t size; /* 0 = not given */
	struct sockaddr_storage socket;
};

struct arg_option {
	const char *name;       /* without the dashes */
	enum arg_kind kind;
	size_t offset;          /* of the value in the verb's structure */
	int64_t min, max;       /* ARG_INTEGER; ns for ARG_DURATION */
	const char *const *choices;
	const char *help;
};

struct arg_command {
	const char *name, *purpose;
	const struct arg_option *options; /* ends with a row without a name */
};

enum { ARGS_RUN = 0, ARGS_HELP = 1 };

/*
 * Reads argv[1..] (argv[0] is the verb) into `config`, which holds the defaults.
 * ARGS_RUN, ARGS_HELP (help has been printed), or -EINVAL (one line has been printed).
 */
int args_parse(const struct arg_command *command, int argc, char *const *argv, void *config);

/* Parsers of one value each: 0 or -EINVAL, silent. */
int args_integer(const char *text, int64_t *value);
int args_duration(const char *text, int64_t *value_ns);
int args_mac(const char *text, struct arg_mac *mac);
int args_address(const char *text, struct arg_address *address);

/* The reverse of args_address, for messages and the ready line. */
void args_address_text(const struct sockaddr_storage *socket, char *text, size_t size);

#endif
