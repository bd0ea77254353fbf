// SPDX-License-Identifier: Apache-2.0
/* A growing queue of bytes. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"

int buf_append(struct buf *b, const void *data, size_t len)
{
	size_t need = b->len + len;

	if (!len)
		return 0;

	if (b->start && b->start + need > b->cap) {
		memmove(b->data, buf_head(b), b->len);
		b->start = 0;
	}

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 4096;
		uint8_t *grown;

		while (cap < need)
			cap *= 2;
		grown = realloc(b->data, cap);
		if (!grown)
			return -ENOMEM;
		b->data = grown;
		b->cap = cap;
	}

	memcpy(b->data + b->start + b->len, data, len);
	b->len += len;
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

void buf_consume(struct buf *b, size_t len)
{
	b->start += len;
	b->len -= len;
	if (!b->len)
		b->start = 0;
}

void buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

int buf_flush(struct buf *b, int fd)
{
	while (b->len) {
		ssize_t n = write(fd, buf_head(b), b->len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN ? 0 : -errno;
		}
		buf_consume(b, (size_t)n);
	}
	return 0;
}
