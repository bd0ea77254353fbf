// SPDX-License-Identifier: Apache-2.0
/* args: the table-driven option parser. Every error says what is wrong with which option and what to write. */
#include "args.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "note.h"

static const char *const kind_hint[] = {
	[ARG_FLAG] = "",
	[ARG_INTEGER] = "N",
	[ARG_DURATION] = "TIME",
	[ARG_CHOICE] = "WORD",
	[ARG_MAC] = "MAC",
	[ARG_ADDRESS] = "ADDR:PORT",
	[ARG_INTERFACE] = "IFNAME",
	[ARG_TEXT] = "TEXT",
};

static const struct {
	const char *name;
	int64_t ns;
} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", NS_PER_MS }, { "s", NS_PER_S } };

/* Reads digits only: no sign, no spaces, no other base. `rest` is set to what follows them. */
static int digits(const char *text, int64_t *value, const char **rest)
{
	const char *at = text;
	int64_t sum = 0;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *at - '0', &sum))
			return -EINVAL;
	if (at == text)
		return -EINVAL;
	*value = sum;
	*rest = at;
	return 0;
}

int args_integer(const char *text, int64_t *value)
{
	const char *rest;

	return digits(text, value, &rest) || *rest ? -EINVAL : 0;
}

int args_duration(const char *text, int64_t *value_ns)
{
	const char *rest;
	int64_t value;

	if (digits(text, &value, &rest))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(rest, units[i].name))
			return __builtin_mul_overflow(value, units[i].ns, value_ns) ? -EINVAL : 0;
	return -EINVAL;
}

int args_mac(const char *text, struct arg_mac *mac)
{
	unsigned int byte[6];
	int length = 0;

	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17)
		return -EINVAL;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5],
		   &length) != 6 || length != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		mac->bytes[i] = (uint8_t)byte[i];
	mac->set = true;
	return 0;
}

int args_address(const char *text, struct arg_address *address)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address->socket;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->socket;
	bool is_v6 = text[0] == '[';
	int64_t port;
	size_t size;
	char *zone;

	memset(address, 0, sizeof(*address));
	if (!colon || args_integer(colon + 1, &port) || port > 65535)
		return -EINVAL;
	size = (size_t)(colon - text);
	if (is_v6) {
		if (size < 2 || colon[-1] != ']')
			return -EINVAL;
		text++;
		size -= 2;
	}
	if (size >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	if (!is_v6) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
			return -EINVAL;
		address->size = sizeof(*v4);
		return 0;
	}
	zone = strchr(host, '%');
	if (zone) {
		*zone++ = '\0';
		v6->sin6_scope_id = if_nametoindex(zone);
		if (!v6->sin6_scope_id)
			return -EINVAL;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return -EINVAL;
	address->size = sizeof(*v6);
	return 0;
}

void args_address_text(const struct sockaddr_storage *socket, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)socket;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)socket;
	char host[INET6_ADDRSTRLEN] = "?";

	if (socket->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
	}
}

/* 1000000 -> "1ms": the largest unit that gives a whole number. */
static void duration_text(int64_t value_ns, char *text, size_t size)
{
	for (int i = sizeof(units) / sizeof(units[0]) - 1; i >= 0; i--)
		if (value_ns % units[i].ns == 0) {
			snprintf(text, size, "%" PRId64 "%s", value_ns / units[i].ns, units[i].name);
			return;
		}
}

static void range_text(const struct arg_option *option, char *text, size_t size)
{
	char min[32], max[32];

	if (option->kind == ARG_DURATION) {
		duration_text(option->min, min, sizeof(min));
		duration_text(option->max, max, sizeof(max));
		snprintf(text, size, "%s to %s", min, max);
	} else {
		snprintf(text, size, "%" PRId64 " to %" PRId64, option->min, option->max);
	}
}

static int range_check(const struct arg_option *option, const char *text, int64_t value)
{
	char range[80];

	if (value >= option->min && value <= option->max)
		return 0;
	range_text(option, range, sizeof(range));
	complain("--%s: %.40s is out of range: give %s", option->name, text, range);
	return -EINVAL;
}

static int choice(const struct arg_option *option, const char *text, int64_t *value)
{
	char list[320] = "";

	for (int i = 0; option->choices[i]; i++) {
		if (!strcmp(text, option->choices[i])) {
			*value = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", option->choices[i]);
	}
	complain("--%s: '%.40s' is not one of: %s", option->name, text, list);
	return -EINVAL;
}

static int set(const struct arg_option *option, const char *text, void *at)
{
	int64_t value;

	switch (option->kind) {
	case ARG_FLAG:
		*(bool *)at = true;
		return 0;
	case ARG_INTEGER:
		if (args_integer(text, &value)) {
			complain("--%s: '%.40s' is not a whole number: write digits only", option->name, text);
			return -EINVAL;
		}
		*(int64_t *)at = value;
		return range_check(option, text, value);
	case ARG_DURATION:
		if (args_duration(text, &value)) {
			complain("--%s: '%.40s' is not a time: write a whole number and ns, us, ms or s, such as 1ms",
				 option->name, text);
			return -EINVAL;
		}
		*(int64_t *)at = value;
		return range_check(option, text, value);
	case ARG_CHOICE:
		return choice(option, text, at);
	case ARG_MAC:
		if (!args_mac(text, at))
			return 0;
		complain("--%s: '%.40s' is not a MAC address: write it like 02:00:00:00:00:01", option->name, text);
		return -EINVAL;
	case ARG_ADDRESS:
		if (!args_address(text, at))
			return 0;
		complain("--%s: '%.60s' is not an address and port: write 192.0.2.1:7000 or [2001:db8::1]:7000",
			 option->name, text);
		return -EINVAL;
	case ARG_INTERFACE:
		*(const char **)at = text;
		if (*text && strlen(text) < IF_NAMESIZE)
			return 0;
		complain("--%s: '%.40s' cannot be an interface's name: `ip link` lists them", option->name, text);
		return -EINVAL;
	case ARG_TEXT:
		*(const char **)at = text;
		if (*text)
			return 0;
		complain("--%s: the value is empty: give one", option->name);
		return -EINVAL;
	}
	return -EINVAL;
}

static void help(const struct arg_command *command)
{
	printf("latlab-probe %s: %s\n\n", command->name, command->purpose);
	for (const struct arg_option *option = command->options; option->name; option++) {
		char left[40], range[80] = "";

		snprintf(left, sizeof(left), "--%s %s", option->name, kind_hint[option->kind]);
		if (option->kind == ARG_INTEGER || option->kind == ARG_DURATION)
			range_text(option, range, sizeof(range));
		printf("  %-22s %s%s%s%s\n", left, option->help, *range ? " (" : "", range, *range ? ")" : "");
	}
}

static const struct arg_option *find(const struct arg_command *command, const char *name, size_t size)
{
	for (const struct arg_option *option = command->options; option->name; option++)
		if (strlen(option->name) == size && !memcmp(option->name, name, size))
			return option;
	return NULL;
}

int args_parse(const struct arg_command *command, int argc, char *const *argv, void *config)
{
	for (int i = 1; i < argc; i++) {
		const struct arg_option *option = NULL;
		const char *text = argv[i], *equals = strchr(text, '=');
		int error;

		if (!strcmp(text, "--help") || !strcmp(text, "-h")) {
			help(command);
			return ARGS_HELP;
		}
		if (!strncmp(text, "--", 2))
			option = find(command, text + 2, equals ? (size_t)(equals - text - 2) : strlen(text + 2));
		if (!option) {
			complain("%s: unknown option '%.60s': see latlab-probe %s --help", command->name, text, command->name);
			return -EINVAL;
		}
		if (option->kind == ARG_FLAG && equals) {
			complain("--%s: it takes no value: write only --%s", option->name, option->name);
			return -EINVAL;
		}
		text = "";
		if (option->kind != ARG_FLAG) {
			if (!equals && ++i >= argc) {
				complain("--%s: the value is missing: write --%s %s", option->name, option->name,
					 kind_hint[option->kind]);
				return -EINVAL;
			}
			text = equals ? equals + 1 : argv[i];
		}
		error = set(option, text, (char *)config + option->offset);
		if (error)
			return error;
	}
	return ARGS_RUN;
}
