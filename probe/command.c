// SPDX-License-Identifier: Apache-2.0
/* A command as the controller sends it. Pure: no input or output here. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

int command_parse(const uint8_t *data, size_t len, struct command *c)
{
	size_t n = 0, args = 0, envs = 0, files = 0;
	char *end;

	memset(c, 0, sizeof(*c));
	if (!len || data[len - 1])
		return -EINVAL;

	for (size_t i = 0; i < len; i++)
		n += !data[i];

	c->text = malloc(len);
	c->argv = calloc(n + 1, sizeof(char *));
	c->env = calloc(n + 1, sizeof(char *));
	c->files = calloc(n + 1, sizeof(char *));
	if (!c->text || !c->argv || !c->env || !c->files) {
		command_free(c);
		return -ENOMEM;
	}
	memcpy(c->text, data, len);

	end = c->text + len;
	for (char *s = c->text; s < end; s += strlen(s) + 1) {
		switch (s[0]) {
		case 'a':
			c->argv[args++] = s + 1;
			break;
		case 'e':
			c->env[envs++] = s + 1;
			break;
		case 'f':
			c->files[files++] = s + 1;
			break;
		case 'p':
			if (sscanf(s + 1, "%4ux%4u", &c->rows, &c->cols) != 2)
				goto invalid;
			break;
		case 'i':
			c->keep_stdin = 1;
			break;
		default:
			goto invalid;
		}
	}
	if (args && c->argv[0][0])
		return 0;
invalid:
	command_free(c);
	return -EINVAL;
}

void command_free(struct command *c)
{
	free(c->argv);
	free(c->env);
	free(c->files);
	free(c->text);
	memset(c, 0, sizeof(*c));
}
