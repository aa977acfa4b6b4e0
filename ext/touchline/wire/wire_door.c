/* Questions in a ring, answers in a list for each loop. */
#define _GNU_SOURCE
#include "touchline/wire/wire_door.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define QUESTIONS_MAX (TL_WIRE_LOOPS * TL_WIRE_ASKED_MAX)

int tl_wire_door_open(tl_wire_door *door)
{
    pthread_condattr_t steady;
    memset(door, 0, sizeof *door);
    door->wake_fd[TL_WIRE_ORDERS] = door->wake_fd[TL_WIRE_RECOVERY] = -1;
    int rc = pthread_condattr_init(&steady);
    if (rc == 0)
        rc = pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(&door->asked, &steady);
    if (rc == 0)
        rc = pthread_mutex_init(&door->lock, NULL);
    door->made = rc == 0;
    return -rc;
}

void tl_wire_door_close(tl_wire_door *door)
{
    if (!door->made)
        return;
    pthread_mutex_destroy(&door->lock);
    pthread_cond_destroy(&door->asked);
    explicit_bzero(door->questions, sizeof door->questions);
    door->made = false;
}

bool tl_wire_door_ask(tl_wire_door *door, const tl_wire_question *question)
{
    pthread_mutex_lock(&door->lock);
    const bool room = door->open[question->loop] < TL_WIRE_ASKED_MAX;
    if (room) {
        door->open[question->loop]++;
        door->questions[(door->questions_at + door->questions_count++) % QUESTIONS_MAX] =
            *question;
        pthread_cond_signal(&door->asked);
    }
    pthread_mutex_unlock(&door->lock);
    return room;
}

uint32_t tl_wire_door_answers(tl_wire_door *door, uint32_t loop,
                              tl_wire_answer out[TL_WIRE_ASKED_MAX])
{
    pthread_mutex_lock(&door->lock);
    const uint32_t count = door->answers_count[loop];
    memcpy(out, door->answers[loop], count * sizeof *out);
    door->answers_count[loop] = 0;
    door->open[loop] -= count;
    pthread_mutex_unlock(&door->lock);
    return count;
}

int tl_wire_door_question(tl_wire_door *door, tl_wire_question *out, int64_t timeout_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + timeout_ns;
    until.tv_sec += (time_t)(ns / SECOND_NS);
    until.tv_nsec = (long)(ns % SECOND_NS);
    pthread_mutex_lock(&door->lock);
    int rc = 0;
    while (door->questions_count == 0 && !door->rung && rc == 0)
        rc = pthread_cond_timedwait(&door->asked, &door->lock, &until);
    door->rung = false;
    const int found = door->questions_count > 0;
    if (found) {
        *out = door->questions[door->questions_at];
        explicit_bzero(&door->questions[door->questions_at], sizeof *out);
        door->questions_at = (door->questions_at + 1) % QUESTIONS_MAX;
        door->questions_count--;
    }
    pthread_mutex_unlock(&door->lock);
    return found;
}

void tl_wire_door_answer(tl_wire_door *door, uint32_t loop, uint32_t conn, uint32_t session)
{
    const uint64_t one = 1;
    if (loop >= TL_WIRE_LOOPS)
        return;
    pthread_mutex_lock(&door->lock);
    if (door->answers_count[loop] < door->open[loop])
        door->answers[loop][door->answers_count[loop]++] =
            (tl_wire_answer){.conn = conn, .session = session};
    const int fd = door->wake_fd[loop];
    pthread_mutex_unlock(&door->lock);
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return; /* the counter is full: the loop is awake */
}

void tl_wire_door_ring(tl_wire_door *door)
{
    pthread_mutex_lock(&door->lock);
    door->rung = true;
    pthread_cond_signal(&door->asked);
    pthread_mutex_unlock(&door->lock);
}
