/* SPDX-License-Identifier: Apache-2.0 */
/*
 * note: what the probe says to people. An error is one line on stderr, said once, by the function that knows what
 * was being done; after that only the negative errno travels up. A warning waits for the summary.
 */
#ifndef PROBE_NOTE_H
#define PROBE_NOTE_H

#include <stdio.h>

enum { EXIT_FINE = 0, EXIT_USAGE = 3, EXIT_UNABLE = 4 };

#define WARNINGS_MAX 12

struct warnings {
	int count;
	char text[WARNINGS_MAX][200];
};

/* Prints "latlab-probe: ..." as one line. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Keeps a warning for the summary; more than WARNINGS_MAX are dropped, the last place says so. */
void warn(struct warnings *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string, quoted and escaped. */
void json_string(FILE *out, const char *text);

/* ,"warnings":[...] */
void json_warnings(FILE *out, const struct warnings *warnings);

#endif
