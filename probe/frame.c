// SPDX-License-Identifier: Apache-2.0
/* Frames between the controller and an agent. Pure: no input or output here. */

#include <errno.h>
#include <string.h>

#include "frame.h"

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

int frame_parse(const uint8_t *data, size_t len, struct frame *f)
{
	uint32_t body;

	if (len < 4)
		return 0;

	body = get_le32(data);
	if (body < FRAME_HEAD - 4 || body > FRAME_MAX + FRAME_HEAD - 4)
		return -EPROTO;
	if (len < 4 + (size_t)body)
		return 0;

	f->type = data[4];
	f->id = get_le32(data + 5);
	f->payload = data + FRAME_HEAD;
	f->len = body - (FRAME_HEAD - 4);
	f->size = 4 + (size_t)body;
	return 1;
}

int frame_append(struct buf *out, uint8_t type, uint32_t id, const void *payload, size_t len)
{
	uint8_t head[FRAME_HEAD];
	int err;

	put_le32(head, (uint32_t)(FRAME_HEAD - 4 + len));
	head[4] = type;
	put_le32(head + 5, id);

	err = buf_append(out, head, sizeof(head));
	return err ? err : buf_append(out, payload, len);
}

int frame_may_greet(const uint8_t *data, size_t len)
{
	const size_t magic = sizeof(FRAME_MAGIC) - 1;

	return len < FRAME_GREETING && !memcmp(data, FRAME_MAGIC, len < magic ? len : magic);
}

size_t frame_find_greeting(const uint8_t *data, size_t len, int *found)
{
	const size_t magic = sizeof(FRAME_MAGIC) - 1;

	*found = 0;
	for (size_t i = 0; i < len; i++) {
		size_t have = len - i < magic ? len - i : magic;

		if (memcmp(data + i, FRAME_MAGIC, have))
			continue;
		*found = len - i >= FRAME_GREETING;
		return i;
	}
	return len;
}
