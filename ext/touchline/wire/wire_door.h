/* The door: what the loops of the binary protocols ask another thread, and how they are answered.
 *
 *   loop ─ username, password ─► questions ─► policy ─ who it is, or nobody ─► answers ─► loop
 *
 * A password's hash takes milliseconds by design, so it is judged off the loop. Whoever waits for a
 * question is also woken when a loop wants names or events (ring). Safe from any thread; nothing
 * here waits for a loop.
 */
#ifndef TOUCHLINE_WIRE_DOOR_H
#define TOUCHLINE_WIRE_DOOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TL_WIRE_ASKED_MAX 64u /* at a time, of a loop */
#define TL_WIRE_NOBODY UINT32_MAX

enum tl_wire_loop { TL_WIRE_ORDERS, TL_WIRE_RECOVERY, TL_WIRE_LOOPS };

typedef struct tl_wire_question {
    uint32_t loop; /* enum tl_wire_loop */
    uint32_t conn;
    char username[7], password[11];
    char address[64];
    uint16_t port;
} tl_wire_question;

typedef struct tl_wire_answer {
    uint32_t conn;
    uint32_t session; /* TL_WIRE_NOBODY: refused */
} tl_wire_answer;

typedef struct tl_wire_door {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    bool made, rung;
    tl_wire_question questions[TL_WIRE_LOOPS * TL_WIRE_ASKED_MAX];
    uint32_t questions_at, questions_count;
    uint32_t open[TL_WIRE_LOOPS]; /* asked and not taken back as answers */
    tl_wire_answer answers[TL_WIRE_LOOPS][TL_WIRE_ASKED_MAX];
    uint32_t answers_count[TL_WIRE_LOOPS];
    int wake_fd[TL_WIRE_LOOPS]; /* eventfds that an answer writes to; -1: none */
} tl_wire_door;

int tl_wire_door_open(tl_wire_door *door);
void tl_wire_door_close(tl_wire_door *door);

/* The loop's side. False: as many are asked as can be; again later. */
bool tl_wire_door_ask(tl_wire_door *door, const tl_wire_question *question);
/* The answers there are; how many. */
uint32_t tl_wire_door_answers(tl_wire_door *door, uint32_t loop,
                              tl_wire_answer out[TL_WIRE_ASKED_MAX]);

/* The next question, within timeout_ns: 1; 0: none came, or somebody rang. */
int tl_wire_door_question(tl_wire_door *door, tl_wire_question *out, int64_t timeout_ns);
void tl_wire_door_answer(tl_wire_door *door, uint32_t loop, uint32_t conn, uint32_t session);
void tl_wire_door_ring(tl_wire_door *door);

#endif
