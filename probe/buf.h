/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing queue of bytes: appended at the end, consumed from the front.
 */
#ifndef LATLAB_BUF_H
#define LATLAB_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t start;	/* first byte not yet consumed */
	size_t len;	/* bytes between start and the end */
	size_t cap;
};

/* All return 0, or -ENOMEM. */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, const char *s);

void buf_consume(struct buf *b, size_t len);
void buf_free(struct buf *b);

/* Writes what fd takes without blocking. Returns 0 (something may remain) or a negative errno. */
int buf_flush(struct buf *b, int fd);

static inline uint8_t *buf_head(const struct buf *b)
{
	return b->start ? b->data + b->start : b->data;
}

#endif
