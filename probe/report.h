/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: the reflector's memory of its own transmit stamps. They are known only after a reply has left, so each waits
 * here until a later reply takes it home. Replies are numbered by the kernel's stamp ids and reported in that order.
 */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "stamp.h"
#include "wire.h"

#define REPORTS_WAITING 1024

struct report {
	uint64_t seq;
	uint32_t run;
	int64_t w_ns, s_ns, t_ns, T_ns;
};

struct report_queue {
	uint32_t oldest, next;          /* stamp ids; next - oldest <= REPORTS_WAITING */
	bool hardware;                  /* T is waited for too */
	int64_t tai_offset_ns;
	uint64_t dropped;               /* reports never made: too old, or overtaken, or without any stamp */
	struct report waiting[REPORTS_WAITING];
};

/* A reply is about to be sent under the next stamp id. Undone by report_restart() if it could not be sent. */
void report_expect(struct report_queue *queue, const struct wire_packet *reply);
void report_restart(struct report_queue *queue);

/* A stamp_sink; the context is the queue. */
void report_take_stamp(void *queue, const struct stamp_control *control);

/* Fills the reports of a reply with finished ones of the same run; unfinished ones are waited for at most 20 ms. */
void report_fill(struct report_queue *queue, struct wire_packet *reply, int64_t now_ns);

#endif
