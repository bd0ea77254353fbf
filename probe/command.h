/* SPDX-License-Identifier: Apache-2.0
 *
 * A command as the controller sends it: strings, each with a letter in front and a NUL behind.
 *
 *   a ARG        one argument; the first is the program
 *   e NAME=VALUE added to the environment
 *   f FD=PATH    opened for reading and writing and given to the program as that descriptor
 *   p ROWSxCOLS  run on a pseudo-terminal of that size
 *   i            standard input stays open (else it is empty)
 */
#ifndef LATLAB_COMMAND_H
#define LATLAB_COMMAND_H

#include <stddef.h>
#include <stdint.h>

struct command {
	char *text;	/* owns every string below */
	char **argv;	/* ends with NULL */
	char **env;
	char **files;
	unsigned int rows, cols;	/* of the pseudo-terminal; 0: none */
	int keep_stdin;
};

/* 0, -EINVAL or -ENOMEM. */
int command_parse(const uint8_t *data, size_t len, struct command *c);
void command_free(struct command *c);

#endif
