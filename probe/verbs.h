/* SPDX-License-Identifier: Apache-2.0 */
/* verbs: the entry points that main.c lists. argv[0] is the verb; the result is the program's exit code. */
#ifndef PROBE_VERBS_H
#define PROBE_VERBS_H

int verb_send(int argc, char **argv);
int verb_reflect(int argc, char **argv);
int verb_xdp(int argc, char **argv);
int verb_now(int argc, char **argv);
int verb_clock(int argc, char **argv);
int verb_stall(int argc, char **argv);

#endif
