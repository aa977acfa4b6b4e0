/* TLS for the acceptor: one context that can be reloaded, and one peer a connection.
 *
 * OpenSSL 3 is found when the first context is opened, so that neither building nor plain TCP needs
 * it. Nothing here waits: handshake, read and write say when they would. Peers of an older
 * certificate go on with it after a reload. TLS 1.3, and 1.2 where it is asked for; no
 * renegotiation, no compression, no tickets. A tl_tls may be reloaded from any thread; a peer
 * belongs to one, which has SIGPIPE blocked or ignored.
 */
#ifndef TOUCHLINE_TLS_H
#define TOUCHLINE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_TLS_FAULT_BYTES 512u
#define TL_TLS_NAME_BYTES 256u

typedef struct tl_tls tl_tls;
typedef struct tl_tls_peer tl_tls_peer;

typedef struct tl_tls_config {
    const char *certificate; /* PEM files: the chain, the venue's first */
    const char *key;
    const char *client_ca;   /* whom client certificates are signed by; NULL: none are asked for */
    bool client_required;    /* a client without a certificate is turned away */
    bool old;                /* TLS 1.2 too */
} tl_tls_config;

/* 0 or -errno: -ELIBACC when OpenSSL is missing, -EINVAL for a file that is not what it should be.
 * `fault`, TL_TLS_FAULT_BYTES, says which and why. */
int tl_tls_open(tl_tls **out, const tl_tls_config *config, char *fault);
/* The same files again, for connections to come. On failure nothing changes. */
int tl_tls_reload(tl_tls *tls, char *fault);
/* Peers may outlive it. */
void tl_tls_close(tl_tls *tls);

/* A peer on a connected, non-blocking socket, which stays the caller's. NULL: no memory. */
tl_tls_peer *tl_tls_accept(tl_tls *tls, int fd);
void tl_tls_peer_close(tl_tls_peer *peer);
/* 0: done; -EAGAIN: call again when the socket is readable or writable; -EPROTO: it failed. */
int tl_tls_handshake(tl_tls_peer *peer);
/* Bytes, 0 at the peer's end, -EAGAIN or -EPROTO. */
int64_t tl_tls_read(tl_tls_peer *peer, char *at, size_t count);
/* Bytes, -EAGAIN or -EPROTO. After -EAGAIN the same bytes are to be handed in again. */
int64_t tl_tls_write(tl_tls_peer *peer, const char *bytes, size_t count);
/* Say that no more will come; harmless when it can not be said. */
void tl_tls_say_end(tl_tls_peer *peer);
/* Common name of the client's certificate, "" without one. `out` holds TL_TLS_NAME_BYTES. */
void tl_tls_peer_name(const tl_tls_peer *peer, char *out);

#endif
