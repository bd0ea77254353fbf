/* SPDX-License-Identifier: Apache-2.0
 *
 * The undo journal: what must be run so that this host is as it was found.
 *
 * A command is written down before the change that it undoes is made, and struck out after it was
 * run. The journal is a file that its agent keeps locked (flock); the kernel releases the lock when
 * the agent dies, however it dies, so a journal that can be locked belongs to nobody and whoever
 * locks it runs it. Every process that an agent starts carries LATLAB_AGENT=<id> in its
 * environment, and so do their children: that is how the orphans of a dead agent are found.
 */
#ifndef LATLAB_JOURNAL_H
#define LATLAB_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct journal;

/* The folder: /run/latlab for root, else one below XDG_RUNTIME_DIR or /tmp. 0 or a negative errno. */
int journal_folder(char *path, size_t len);

/* A new journal in `folder`, locked. 0 or a negative errno. */
int journal_create(const char *folder, struct journal **out);
const char *journal_id(const struct journal *j);

/* `data` is a command as in command.h. 0 or a negative errno. */
int journal_defer(struct journal *j, const uint8_t *data, size_t len);
int journal_drop(struct journal *j);

/* Runs what is deferred, newest first, and removes the file. */
void journal_undo(struct journal *j);

/*
 * Ends the processes of dead agents and undoes what they had deferred. Appends to `report` one
 * line for each command that it ran: 1 if it was a journal's newest, else 0; its exit code (minus the
 * signal's number when one ended it); the command; with spaces between. Only the newest may have had
 * nothing to undo: its agent may have died just before the change, or just after the undoing.
 * Returns the number of journals.
 */
int journal_recover(const char *folder, struct buf *report);

/*
 * SIGKILL to every process that carries the id, but this one, until there is none or the time is
 * over: what dies may have been about to fork, and what is stuck in the kernel does not die.
 */
void journal_kill_marked(const char *id, int limit_ms);

#endif
