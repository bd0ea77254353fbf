// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into isochron, for NICs that stamp the receipt of PTP packets only: it asks each NIC to stamp the receipt of
 * all packets, and gives up where the driver refuses. Here the wish is changed to none; all else is isochron's own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	struct hwtstamp_config *config;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == SIOCSHWTSTAMP) {
		config = (void *)((struct ifreq *)arg)->ifr_data;
		config->rx_filter = HWTSTAMP_FILTER_NONE;
	}
	return real(fd, request, arg);
}
