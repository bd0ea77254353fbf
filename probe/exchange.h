/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange: the state that the sender's three threads share, and who may touch what.
 *
 *   transmit thread   paces and sends; fills S and w of a slot, then publishes it by `head`
 *   receive thread    matches replies and transmit stamps to slots; emits records in order and frees slots by `tail`
 *   main thread       writes the ring of records to the output; watches stdin and signals
 *
 * A packet lives in slot seq % slots from its sending until its record is emitted. The number of slots is fixed, so
 * memory does not depend on the length of the run.
 */
#ifndef PROBE_EXCHANGE_H
#define PROBE_EXCHANGE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "clock.h"
#include "record.h"
#include "ring.h"
#include "rt.h"
#include "siphash.h"
#include "sock.h"

struct send_config {
	struct sock_config sock;
	const char *key, *output;
	int64_t period_ns, lead_ns, gather_ns, count, size, clock, timeout_ns, tx_stamps_every;
	int64_t cpu, receive_cpu, fifo;
	bool spin;
};

struct slot {
	int64_t sent_mono_ns;           /* transmit thread, before tx_flags */
	_Atomic uint32_t tx_flags;      /* transmit thread: 0 while sending, then SENT or SEND_FAILED, and more */
	uint32_t rx_flags;              /* receive thread */
	int64_t stamp[STAMPS];          /* S, w: transmit thread; all others: receive thread */
};

struct exchange {
	const struct send_config *config;
	struct siphash_key key;
	struct sock sock;
	struct ring ring;
	uint32_t run;
	int64_t tai_offset_ns;
	int64_t start_ns;               /* of seq 0, on the pacing clock */
	struct record_header header;

	struct slot *slots;
	_Atomic uint64_t *id_to_seq;    /* by transmit stamp id % number of slots */
	uint64_t *answered;             /* one bit per slot: the packet that was emitted from it had a reply */
	uint64_t mask;                  /* number of slots - 1 */

	_Alignas(64) _Atomic uint64_t head;     /* packets published */
	_Alignas(64) _Atomic uint64_t tail;     /* records emitted */
	sem_t go;                               /* main -> transmit: start_ns is set, memory is locked */
	_Atomic bool stop;                      /* main -> transmit: send no more */
	_Atomic bool sending_done;              /* transmit -> receive: head is final */
	_Atomic uint64_t rounds;                /* receive -> main: it is not asleep */
	_Atomic bool receiving_done;            /* receive -> both others: all records are in the ring */

	struct {
		uint64_t sent, send_failed, late_wakeups, slots_full;
		int last_errno;
	} tx; /* of the transmit thread */
	struct {
		uint64_t replied, lost, late, duplicated, reordered, rejected, receive_errors;
		uint64_t tx_stamps_missing, records_dropped, given_up_early;
		int last_errno;
	} rx; /* of the receive thread */
};

/* Thread bodies; the argument is the exchange. */
void *transmit_thread(void *exchange);
void *receive_thread(void *exchange);

/* How long an exchange without all its transmit stamps is waited for, from the sending on. */
static inline int64_t exchange_grace_ns(const struct send_config *config)
{
	int64_t grace_ns = 3 * config->period_ns + 20 * NS_PER_MS;

	return grace_ns > config->timeout_ns ? grace_ns : config->timeout_ns;
}

#endif
