/* SPDX-License-Identifier: Apache-2.0
 *
 * What the controller and an agent say to each other: frames on one byte stream.
 *
 *   u32 length   of all that follows, little-endian
 *   u8  type     enum frame_type
 *   u32 id       of the child process the frame is about; chosen by the controller
 *   payload      length - 5 bytes
 *
 * A stream may still carry the rest of an earlier conversation (a virtio-serial port outlives its
 * reader), so each conversation begins with a greeting that both sides look for: 8 bytes of magic
 * and a nonce of 8 bytes, echoed by the agent. What comes before it is thrown away.
 */
#ifndef LATLAB_FRAME_H
#define LATLAB_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define FRAME_MAGIC	"\xc1" "LATLAB" "\x01"
#define FRAME_GREETING	16	/* bytes: magic and nonce */
#define FRAME_HEAD	9	/* bytes: length, type, id */
#define FRAME_MAX	(1 << 20)	/* bytes of payload */

enum frame_type {
	/* controller to agent */
	FRAME_START = 'S',	/* payload: a command, see command.h */
	FRAME_STDIN = 'I',	/* payload: bytes for the child; none: end of file */
	FRAME_SIGNAL = 'K',	/* payload: u8 signal number, to the child's process group */
	FRAME_DEFER = 'D',	/* payload: a command that undoes what comes next; answered by ACK */
	FRAME_DROP = 'P',	/* the newest deferred command was carried out; answered by ACK */
	FRAME_BYE = 'B',	/* leave nothing: end children, undo what is deferred; answered by ACK */

	/* agent to controller */
	FRAME_HELLO = 'H',	/* payload: facts of this host, JSON */
	FRAME_STARTED = 's',	/* payload: u32 pid */
	FRAME_FAILED = 'f',	/* payload: why the child could not be started, text */
	FRAME_STDOUT = 'o',
	FRAME_STDERR = 'e',
	FRAME_EXIT = 'x',	/* payload: i32, exit code, or minus the signal number */
	FRAME_ACK = 'a',
};

struct frame {
	uint8_t type;
	uint32_t id;
	const uint8_t *payload;	/* inside the buffer: valid until it is consumed */
	uint32_t len;		/* of the payload, bytes */
	size_t size;		/* of the whole frame, bytes: what to consume */
};

/* 1: a whole frame; 0: more bytes are needed; -EPROTO: this cannot be a frame. */
int frame_parse(const uint8_t *data, size_t len, struct frame *f);

/* 0 or -ENOMEM. */
int frame_append(struct buf *out, uint8_t type, uint32_t id, const void *payload, size_t len);

/* Whether these bytes are the beginning of a greeting that is not whole yet. */
int frame_may_greet(const uint8_t *data, size_t len);

/* Bytes to throw away before a greeting; sets *found when a whole greeting stands there. */
size_t frame_find_greeting(const uint8_t *data, size_t len, int *found);

#endif
