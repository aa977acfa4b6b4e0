/* TLS for a socket that never blocks: OpenSSL 3, found when it is first asked for.
 *
 * libssl.so.3 is opened at run time and called through declarations of our own, so that a venue
 * without TLS needs neither it nor its headers. A tl_tls is what a listener offers: certificate,
 * key, whose clients it believes; tl_tls_reload changes them for the connections to come and may be
 * called by any thread. A tl_tls_link is one connection and belongs to one thread.
 */
#ifndef TOUCHLINE_TLS_H
#define TOUCHLINE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TL_TLS_FAULT_BYTES 256

typedef enum tl_tls_client {
    TL_TLS_CLIENT_ANY = 0,     /* no certificate is asked for */
    TL_TLS_CLIENT_ASKED = 1,   /* one that comes must be good */
    TL_TLS_CLIENT_REQUIRED = 2 /* without a good one there is no connection */
} tl_tls_client;

typedef struct tl_tls_config {
    const char *certificate_file; /* PEM, the chain */
    const char *key_file;         /* PEM */
    const char *ca_file;          /* PEM; who signs clients' certificates; NULL: nobody */
    tl_tls_client client;
    bool tls_1_2;                 /* older clients, too; else 1.3 alone */
} tl_tls_config;

typedef struct tl_tls tl_tls;
typedef struct tl_tls_link tl_tls_link;

/* 0; -ELIBACC: there is no libssl.so.3; -EINVAL: a file can not be used, `fault` says which. */
int tl_tls_open(tl_tls **out, const tl_tls_config *config, char fault[TL_TLS_FAULT_BYTES]);
/* Read the files again. On an error what was there before stays. */
int tl_tls_reload(tl_tls *tls, char fault[TL_TLS_FAULT_BYTES]);
/* Links outlive it. */
void tl_tls_close(tl_tls *tls);

/* The server's end of a connection; `fd` stays the caller's. 0 or -ENOMEM. */
int tl_tls_accept(tl_tls_link **out, tl_tls *tls, int fd);
/* Go on with the handshake: 0 when it is done, -EAGAIN: when the socket is ready again, for
 * writing if tl_tls_wants_write; -EPROTO: it failed. */
int tl_tls_handshake(tl_tls_link *link);
/* Bytes, 0 at the peer's end, -EAGAIN, -EPROTO or -errno. */
ssize_t tl_tls_recv(tl_tls_link *link, void *bytes, size_t count);
/* The same; after -EAGAIN the next call must offer the same bytes again (they may have moved). */
ssize_t tl_tls_send(tl_tls_link *link, const void *bytes, size_t count);
/* Did the last call stop because the socket takes nothing now? */
bool tl_tls_wants_write(const tl_tls_link *link);
/* Are there bytes that were read from the socket and not by tl_tls_recv? */
bool tl_tls_pending(const tl_tls_link *link);
/* Common name of the client's certificate, which was verified; "" without one. */
void tl_tls_client_name(const tl_tls_link *link, char *out, size_t size);
/* Say good-bye if that goes at once, and forget the link. */
void tl_tls_end(tl_tls_link *link);

#endif
