/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hwstamp: what a NIC can stamp and what it has been told to (Documentation/networking/timestamping.rst).
 * Names are those that `ethtool -T` prints.
 */
#ifndef PROBE_HWSTAMP_H
#define PROBE_HWSTAMP_H

#include <stdio.h>

struct hwstamp_config {
	int transmit, receive; /* HWTSTAMP_TX_*, HWTSTAMP_FILTER_* */
};

extern const char *const hwstamp_transmit_names[], *const hwstamp_receive_names[]; /* by number, end with NULL */

/* The number of the NIC's clock (/dev/ptpN), or -1 where it has none. 0 or -errno after one line on stderr. */
int hwstamp_phc(const char *nic, int *number);

/* One line of JSON: the NIC's abilities, its clock and its present settings. 0 or -errno after one line on stderr. */
int hwstamp_describe(const char *nic, FILE *out);

/* What the NIC has been told. 0 or -errno, silent: -EOPNOTSUPP where it cannot be told anything. */
int hwstamp_get(const char *nic, struct hwstamp_config *config);

/* `config` becomes what the driver chose, which may stamp more than was asked for. 0 or -errno, silent. */
int hwstamp_set(const char *nic, struct hwstamp_config *config);

/* {"transmit":"off","receive":"none"} */
void hwstamp_print(FILE *out, const struct hwstamp_config *config);

#endif
