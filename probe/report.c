// SPDX-License-Identifier: Apache-2.0
/* report: a queue in the order of stamp ids; a stamp that never comes holds it up for a bounded time only. */
#include "report.h"

#include "clock.h"

#define WAIT_MAX_NS (20 * NS_PER_MS)

static struct report *report_at(struct report_queue *queue, uint32_t id)
{
	return &queue->waiting[id % REPORTS_WAITING];
}

void report_expect(struct report_queue *queue, const struct wire_packet *reply)
{
	if (queue->next - queue->oldest == REPORTS_WAITING) {
		queue->oldest++;
		queue->dropped++;
	}
	*report_at(queue, queue->next++) = (struct report){ .seq = reply->seq, .run = reply->run, .w_ns = reply->w_ns };
}

void report_restart(struct report_queue *queue)
{
	queue->dropped += queue->next - queue->oldest;
	queue->oldest = queue->next = 0;
}

void report_take_stamp(void *context, const struct stamp_control *control)
{
	struct report_queue *queue = context;
	struct report *report = report_at(queue, control->id);
	int64_t software_ns = control->software_ns ? control->software_ns + queue->tai_offset_ns : 0;

	if (control->id - queue->oldest >= queue->next - queue->oldest)
		return;
	/* After a restart of the ids: a stamp older than the reply is of an earlier one. */
	if (software_ns && software_ns < report->w_ns)
		return;
	if (control->hardware_ns)
		report->T_ns = control->hardware_ns;
	else if (control->kind == STAMP_KIND_QDISC)
		report->s_ns = software_ns;
	else if (control->kind == STAMP_KIND_SENT)
		report->t_ns = software_ns;
}

void report_fill(struct report_queue *queue, struct wire_packet *reply, int64_t now_ns)
{
	for (; queue->oldest != queue->next && reply->reports < WIRE_REPORTS_MAX; queue->oldest++) {
		const struct report *report = report_at(queue, queue->oldest);
		bool complete = report->s_ns && report->t_ns && (report->T_ns || !queue->hardware);
		bool any = report->s_ns || report->t_ns || report->T_ns;

		if (!complete && now_ns >= report->w_ns && now_ns - report->w_ns < WAIT_MAX_NS)
			return;
		if (!any || report->run != reply->run) {
			queue->dropped++;
			continue;
		}
		reply->report[reply->reports++] = (struct wire_report){
			.back = (int32_t)(uint32_t)(reply->seq - report->seq),
			.s_offset_ns = wire_offset(report->s_ns, report->w_ns),
			.t_offset_ns = wire_offset(report->t_ns, report->w_ns),
			.T_ns = report->T_ns,
		};
	}
}
