/* SPDX-License-Identifier: Apache-2.0 */
/* clocks: the parts of the verb `clock`. argv[0] is the part's name; the result is the program's exit code. */
#ifndef PROBE_CLOCKS_H
#define PROBE_CLOCKS_H

/* Comparing, which changes nothing. */
int clocks_read(int argc, char **argv);
int clocks_state(int argc, char **argv);
int clocks_stamps(int argc, char **argv);

/* Changing. */
int clocks_filter(int argc, char **argv);
int clocks_step(int argc, char **argv);
int clocks_frequency(int argc, char **argv);

#endif
