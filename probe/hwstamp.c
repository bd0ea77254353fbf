// SPDX-License-Identifier: Apache-2.0
/* hwstamp: ETHTOOL_GET_TS_INFO, SIOCGHWTSTAMP and SIOCSHWTSTAMP, and their bits by name. */
#include "hwstamp.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "note.h"

const char *const hwstamp_transmit_names[] = { "off", "on", "onestep-sync", "onestep-p2p", NULL };

const char *const hwstamp_receive_names[] = {
	"none", "all", "some",
	"ptpv1-l4-event", "ptpv1-l4-sync", "ptpv1-l4-delay-req",
	"ptpv2-l4-event", "ptpv2-l4-sync", "ptpv2-l4-delay-req",
	"ptpv2-l2-event", "ptpv2-l2-sync", "ptpv2-l2-delay-req",
	"ptpv2-event", "ptpv2-sync", "ptpv2-delay-req",
	"ntp-all", NULL,
};

static const char *const capability_names[] = {
	"hardware-transmit", "software-transmit", "hardware-receive", "software-receive",
	"software-system-clock", "hardware-legacy-clock", "hardware-raw-clock", NULL,
};

/* The kernel copies the name back with whatever else it writes: 0 or -errno. */
static int ask(const char *nic, unsigned long request, void *data)
{
	struct ifreq ifr = { .ifr_data = data };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, nic, IFNAMSIZ - 1);
	if (ioctl(fd, (int)request, &ifr))
		error = -errno;
	close(fd);
	return error;
}

static int get_info(const char *nic, struct ethtool_ts_info *info)
{
	int error;

	*info = (struct ethtool_ts_info){ .cmd = ETHTOOL_GET_TS_INFO };
	error = ask(nic, SIOCETHTOOL, info);
	if (error)
		complain("--nic %s: %s: `ip link` lists the interfaces", nic, strerror(-error));
	return error;
}

int hwstamp_phc(const char *nic, int *number)
{
	struct ethtool_ts_info info;
	int error = get_info(nic, &info);

	*number = info.phc_index;
	return error;
}

int hwstamp_get(const char *nic, struct hwstamp_config *config)
{
	struct hwtstamp_config kernel = { 0 };
	int error = ask(nic, SIOCGHWTSTAMP, &kernel);

	*config = (struct hwstamp_config){ kernel.tx_type, kernel.rx_filter };
	return error;
}

int hwstamp_set(const char *nic, struct hwstamp_config *config)
{
	struct hwtstamp_config kernel = { .tx_type = config->transmit, .rx_filter = config->receive };
	int error = ask(nic, SIOCSHWTSTAMP, &kernel);

	if (!error)
		*config = (struct hwstamp_config){ kernel.tx_type, kernel.rx_filter };
	return error;
}

static int count(const char *const *names)
{
	int number = 0;

	while (names[number])
		number++;
	return number;
}

static void print_name(FILE *out, const char *const *names, int number)
{
	if (number >= 0 && number < count(names))
		fprintf(out, "\"%s\"", names[number]);
	else
		fprintf(out, "\"unknown-%d\"", number);
}

/* Bits beyond the names are newer than this program, or no matter of clocks. */
static void print_bits(FILE *out, const char *key, const char *const *names, uint32_t bits)
{
	const char *separator = "";

	fprintf(out, ",\"%s\":[", key);
	for (int i = 0; names[i]; i++)
		if (bits & UINT32_C(1) << i) {
			fprintf(out, "%s\"%s\"", separator, names[i]);
			separator = ",";
		}
	fputc(']', out);
}

void hwstamp_print(FILE *out, const struct hwstamp_config *config)
{
	fputs("{\"transmit\":", out);
	print_name(out, hwstamp_transmit_names, config->transmit);
	fputs(",\"receive\":", out);
	print_name(out, hwstamp_receive_names, config->receive);
	fputc('}', out);
}

int hwstamp_describe(const char *nic, FILE *out)
{
	struct hwstamp_config config;
	struct ethtool_ts_info info;
	int error = get_info(nic, &info);

	if (error)
		return error;
	fputs("{\"nic\":", out);
	json_string(out, nic);
	if (info.phc_index < 0)
		fputs(",\"phc\":null", out);
	else
		fprintf(out, ",\"phc\":%d", info.phc_index);
	print_bits(out, "capabilities", capability_names, info.so_timestamping);
	print_bits(out, "transmit", hwstamp_transmit_names, info.tx_types);
	print_bits(out, "receive", hwstamp_receive_names, info.rx_filters);
	fputs(",\"config\":", out);
	if (hwstamp_get(nic, &config))
		fputs("null", out); /* its driver has no such setting */
	else
		hwstamp_print(out, &config);
	fputs("}\n", out);
	return 0;
}
