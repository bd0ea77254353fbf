// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz: what an agent reads from its controller's stream: the greeting, frames and commands, under libFuzzer, ASan and
 * UBSan. The stream comes in pieces, and must give the same frames as when it comes whole.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../probe/buf.h"
#include "../probe/command.h"
#include "../probe/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* A command that was understood says, when it is written again, the same. */
static void command(const uint8_t *data, size_t size)
{
	struct command c;
	size_t strings = 0, args = 0;

	if (command_parse(data, size, &c))
		return;
	check(c.argv[0] && c.argv[0][0]);
	for (; c.argv[args]; args++)
		check(c.argv[args][-1] == 'a');
	for (char **e = c.env; *e; e++)
		check((*e)[-1] == 'e' && strlen(*e) < size);
	for (char **f = c.files; *f; f++)
		check((*f)[-1] == 'f' && strlen(*f) < size);
	for (size_t i = 0; i < size; i++)
		strings += !data[i];
	check(args <= strings);
	command_free(&c);
	check(!c.argv && !c.text);
}

/* Takes every frame that stands at the front; copies them, whole, to `seen`. Returns the last answer. */
static int take_frames(struct buf *in, struct buf *seen)
{
	struct frame f;
	int ok;

	while ((ok = frame_parse(buf_head(in), in->len, &f)) > 0) {
		check(f.size <= in->len && f.len <= FRAME_MAX && f.size == f.len + FRAME_HEAD);
		check(f.payload + f.len == buf_head(in) + f.size);
		command(f.payload, f.len);
		check(!frame_append(seen, f.type, f.id, f.payload, f.len));
		check(!memcmp(buf_head(seen) + seen->len - f.size, buf_head(in), f.size));
		buf_consume(in, f.size);
	}
	return ok;
}

static void greeting(const uint8_t *data, size_t size)
{
	int found;
	size_t skip = frame_find_greeting(data, size, &found);

	check(skip <= size);
	check(!found || (size - skip >= FRAME_GREETING && !memcmp(data + skip, FRAME_MAGIC, 8)));
	/* Nothing that could still become a greeting is thrown away. */
	if (!found)
		check(size - skip < FRAME_GREETING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, pieces = { 0 }, seen = { 0 }, again = { 0 };
	size_t step = size ? data[0] % 64 + 1 : 1;
	int ok = 0;

	greeting(data, size);
	command(data, size);

	check(!buf_append(&whole, data, size));
	ok = take_frames(&whole, &seen);
	for (size_t i = 0; i < size; i += step) {
		check(!buf_append(&pieces, data + i, size - i < step ? size - i : step));
		if (take_frames(&pieces, &again) < 0)
			break;
	}
	check(seen.len == again.len && (!seen.len || !memcmp(buf_head(&seen), buf_head(&again), seen.len)));
	check(ok <= 0);

	buf_free(&whole);
	buf_free(&pieces);
	buf_free(&seen);
	buf_free(&again);
	return 0;
}
