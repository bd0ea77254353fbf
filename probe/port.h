/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio-serial port: the byte stream between a virtual machine and who started it, apart from
 * every network. And its other end, a Unix socket, joined to standard input and output.
 */
#ifndef LATLAB_PORT_H
#define LATLAB_PORT_H

/* Opens the port of that name, non-blocking, and waits until somebody is at its other end. 0 or a negative errno. */
int port_open(const char *name, int *fd);

/* `latlab-probe connect PATH`: standard input and output joined to a Unix socket. The exit code. */
int connect_main(int argc, char **argv);

#endif
