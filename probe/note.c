// SPDX-License-Identifier: Apache-2.0
/* note: one line per error, and the few lines of JSON writing that the summaries need. */
#include "note.h"

#include <stdarg.h>
#include <string.h>

void complain(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* What the user typed may hold control characters; the message stays one line. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "latlab-probe: %s\n", line);
}

void warn(struct warnings *warnings, const char *format, ...)
{
	va_list arguments;

	if (warnings->count >= WARNINGS_MAX) {
		strcpy(warnings->text[WARNINGS_MAX - 1], "more warnings than fit here");
		return;
	}
	va_start(arguments, format);
	vsnprintf(warnings->text[warnings->count++], sizeof(warnings->text[0]), format, arguments);
	va_end(arguments);
}

void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

void json_warnings(FILE *out, const struct warnings *warnings)
{
	fputs(",\"warnings\":[", out);
	for (int i = 0; i < warnings->count; i++) {
		if (i)
			fputc(',', out);
		json_string(out, warnings->text[i]);
	}
	fputc(']', out);
}
