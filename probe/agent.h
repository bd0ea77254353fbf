/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent: how the controller touches a machine. It runs programs and passes on what they
 * print, and keeps the undo journal. It talks frames (frame.h) on standard input and output, or on
 * a virtio-serial port of the machine it runs in. When the controller goes, however it goes, the
 * agent ends what it started and undoes what was deferred.
 */
#ifndef LATLAB_AGENT_H
#define LATLAB_AGENT_H

/* `latlab-probe agent [--port NAME]`: the exit code. */
int agent_main(int argc, char **argv);

#endif
