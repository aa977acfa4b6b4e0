/* OpenSSL by its names alone: the prototypes used are written here, libssl.so.3 is loaded when the
 * first context is made and stays. */
#define _GNU_SOURCE
#include "touchline/wire/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ssl_ctx SSL_CTX;
typedef struct ssl SSL;
typedef struct x509 X509;
typedef struct x509_name X509_NAME;

/* Values of OpenSSL 3's headers. */
#define FILETYPE_PEM 1
#define CTRL_MODE 33
#define CTRL_SESS_CACHE_MODE 44
#define CTRL_SET_MAX_CERT_LIST 51
#define CTRL_SET_MIN_PROTO_VERSION 123
#define MODE_PARTIAL_WRITE 1
#define MODE_MOVING_WRITE_BUFFER 2
#define MODE_RELEASE_BUFFERS 16
#define VERIFY_PEER 1
#define VERIFY_FAIL_IF_NO_PEER_CERT 2
#define OP_NO_COMPRESSION (UINT64_C(1) << 17)
#define OP_NO_TICKET (UINT64_C(1) << 14)
#define OP_NO_RENEGOTIATION (UINT64_C(1) << 30)
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304
#define WANT_READ 2
#define WANT_WRITE 3
#define ZERO_RETURN 6
#define COMMON_NAME 13 /* NID_commonName */
#define CERT_LIST_MAX 32768

#define FUNCTIONS(X)                                                                               \
    X(const void *, TLS_server_method, (void))                                                     \
    X(SSL_CTX *, SSL_CTX_new, (const void *method))                                                \
    X(void, SSL_CTX_free, (SSL_CTX *))                                                             \
    X(long, SSL_CTX_ctrl, (SSL_CTX *, int, long, void *))                                          \
    X(uint64_t, SSL_CTX_set_options, (SSL_CTX *, uint64_t))                                        \
    X(int, SSL_CTX_set_num_tickets, (SSL_CTX *, size_t))                                           \
    X(int, SSL_CTX_use_certificate_chain_file, (SSL_CTX *, const char *))                          \
    X(int, SSL_CTX_use_PrivateKey_file, (SSL_CTX *, const char *, int))                            \
    X(int, SSL_CTX_check_private_key, (const SSL_CTX *))                                           \
    X(int, SSL_CTX_load_verify_locations, (SSL_CTX *, const char *, const char *))                 \
    X(void *, SSL_load_client_CA_file, (const char *))                                             \
    X(void, SSL_CTX_set_client_CA_list, (SSL_CTX *, void *))                                       \
    X(void, SSL_CTX_set_verify, (SSL_CTX *, int, int (*)(int, void *)))                            \
    X(SSL *, SSL_new, (SSL_CTX *))                                                                 \
    X(void, SSL_free, (SSL *))                                                                     \
    X(int, SSL_set_fd, (SSL *, int))                                                               \
    X(int, SSL_accept, (SSL *))                                                                    \
    X(int, SSL_read, (SSL *, void *, int))                                                         \
    X(int, SSL_write, (SSL *, const void *, int))                                                  \
    X(int, SSL_shutdown, (SSL *))                                                                  \
    X(int, SSL_get_error, (const SSL *, int))                                                      \
    X(X509 *, SSL_get1_peer_certificate, (const SSL *))                                            \
    X(void, X509_free, (X509 *))                                                                   \
    X(X509_NAME *, X509_get_subject_name, (const X509 *))                                          \
    X(int, X509_NAME_get_text_by_NID, (X509_NAME *, int, char *, int))                             \
    X(void, ERR_clear_error, (void))                                                               \
    X(unsigned long, ERR_get_error, (void))                                                        \
    X(void, ERR_error_string_n, (unsigned long, char *, size_t))

#define POINTER(result, name, arguments) result(*name) arguments;
static struct openssl {
    FUNCTIONS(POINTER)
} ssl;
#undef POINTER

static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static char load_fault[TL_TLS_FAULT_BYTES];

struct tl_tls {
    pthread_mutex_t lock; /* of `context` */
    SSL_CTX *context;
    char *certificate, *key, *client_ca;
    bool client_required, old;
};

struct tl_tls_peer {
    SSL *ssl;
};

static void load(void)
{
    static const struct {
        const char *name;
        size_t place;
    } wanted[] = {
#define ROW(result, name, arguments) {#name, offsetof(struct openssl, name)},
        FUNCTIONS(ROW)
#undef ROW
    };
    void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(load_fault, sizeof load_fault, "OpenSSL 3 is not here: %s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = dlsym(library, wanted[i].name);
        if (found == NULL) {
            snprintf(load_fault, sizeof load_fault, "libssl.so.3 has no %s", wanted[i].name);
            return;
        }
        memcpy((char *)&ssl + wanted[i].place, &found, sizeof found);
    }
}

static int failed(SSL_CTX *context, const char *path, char *fault)
{
    char why[256] = "it is not what it should be";
    const unsigned long code = ssl.ERR_get_error();
    if (code != 0)
        ssl.ERR_error_string_n(code, why, sizeof why);
    snprintf(fault, TL_TLS_FAULT_BYTES, "%s: %s", path, why);
    ssl.SSL_CTX_free(context);
    ssl.ERR_clear_error();
    return -EINVAL;
}

static int ask_clients(const tl_tls *tls, SSL_CTX *context)
{
    void *names;
    if (tls->client_ca == NULL)
        return 1;
    if (ssl.SSL_CTX_load_verify_locations(context, tls->client_ca, NULL) != 1)
        return 0;
    names = ssl.SSL_load_client_CA_file(tls->client_ca);
    if (names == NULL)
        return 0;
    ssl.SSL_CTX_set_client_CA_list(context, names);
    ssl.SSL_CTX_set_verify(
        context, VERIFY_PEER | (tls->client_required ? VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return 1;
}

static int make_context(const tl_tls *tls, SSL_CTX **out, char *fault)
{
    const long modes = MODE_PARTIAL_WRITE | MODE_MOVING_WRITE_BUFFER | MODE_RELEASE_BUFFERS;
    ssl.ERR_clear_error();
    SSL_CTX *context = ssl.SSL_CTX_new(ssl.TLS_server_method());
    if (context == NULL)
        return -ENOMEM;
    ssl.SSL_CTX_ctrl(context, CTRL_SET_MIN_PROTO_VERSION, tls->old ? TLS_1_2 : TLS_1_3, NULL);
    ssl.SSL_CTX_ctrl(context, CTRL_MODE, modes, NULL);
    ssl.SSL_CTX_ctrl(context, CTRL_SESS_CACHE_MODE, 0, NULL);
    ssl.SSL_CTX_ctrl(context, CTRL_SET_MAX_CERT_LIST, CERT_LIST_MAX, NULL);
    ssl.SSL_CTX_set_options(context, OP_NO_COMPRESSION | OP_NO_TICKET | OP_NO_RENEGOTIATION);
    ssl.SSL_CTX_set_num_tickets(context, 0);
    if (ssl.SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
        return failed(context, tls->certificate, fault);
    if (ssl.SSL_CTX_use_PrivateKey_file(context, tls->key, FILETYPE_PEM) != 1 ||
        ssl.SSL_CTX_check_private_key(context) != 1)
        return failed(context, tls->key, fault);
    if (!ask_clients(tls, context))
        return failed(context, tls->client_ca, fault);
    *out = context;
    return 0;
}

int tl_tls_open(tl_tls **out, const tl_tls_config *config, char *fault)
{
    fault[0] = 0;
    pthread_once(&loaded, load);
    if (load_fault[0] != 0) {
        memcpy(fault, load_fault, TL_TLS_FAULT_BYTES);
        return -ELIBACC;
    }
    tl_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return -ENOMEM;
    pthread_mutex_init(&tls->lock, NULL);
    tls->certificate = strdup(config->certificate);
    tls->key = strdup(config->key);
    tls->client_ca = config->client_ca == NULL ? NULL : strdup(config->client_ca);
    tls->client_required = config->client_required;
    tls->old = config->old;
    int rc = -ENOMEM;
    if (tls->certificate != NULL && tls->key != NULL &&
        (tls->client_ca != NULL || config->client_ca == NULL))
        rc = make_context(tls, &tls->context, fault);
    if (rc != 0) {
        tl_tls_close(tls);
        return rc;
    }
    *out = tls;
    return 0;
}

int tl_tls_reload(tl_tls *tls, char *fault)
{
    SSL_CTX *fresh, *stale;
    fault[0] = 0;
    const int rc = make_context(tls, &fresh, fault);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&tls->lock);
    stale = tls->context;
    tls->context = fresh;
    pthread_mutex_unlock(&tls->lock);
    ssl.SSL_CTX_free(stale); /* its peers hold it until they are gone */
    return 0;
}

void tl_tls_close(tl_tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->context != NULL)
        ssl.SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate);
    free(tls->key);
    free(tls->client_ca);
    free(tls);
}

tl_tls_peer *tl_tls_accept(tl_tls *tls, int fd)
{
    tl_tls_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return NULL;
    pthread_mutex_lock(&tls->lock);
    peer->ssl = ssl.SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    if (peer->ssl == NULL || ssl.SSL_set_fd(peer->ssl, fd) != 1) {
        tl_tls_peer_close(peer);
        return NULL;
    }
    return peer;
}

void tl_tls_peer_close(tl_tls_peer *peer)
{
    if (peer == NULL)
        return;
    if (peer->ssl != NULL)
        ssl.SSL_free(peer->ssl);
    free(peer);
}

/* What a call that gave `result` came to. */
static int outcome(const tl_tls_peer *peer, int result)
{
    const int error = ssl.SSL_get_error(peer->ssl, result);
    if (error == WANT_READ || error == WANT_WRITE)
        return -EAGAIN;
    ssl.ERR_clear_error();
    return error == ZERO_RETURN ? 0 : -EPROTO;
}

int tl_tls_handshake(tl_tls_peer *peer)
{
    ssl.ERR_clear_error();
    const int result = ssl.SSL_accept(peer->ssl);
    if (result == 1)
        return 0;
    return outcome(peer, result) == -EAGAIN ? -EAGAIN : -EPROTO;
}

static int bounded(size_t count)
{
    return count > INT_MAX ? INT_MAX : (int)count;
}

int64_t tl_tls_read(tl_tls_peer *peer, char *at, size_t count)
{
    ssl.ERR_clear_error();
    const int result = ssl.SSL_read(peer->ssl, at, bounded(count));
    return result > 0 ? result : outcome(peer, result);
}

int64_t tl_tls_write(tl_tls_peer *peer, const char *bytes, size_t count)
{
    ssl.ERR_clear_error();
    const int result = ssl.SSL_write(peer->ssl, bytes, bounded(count));
    if (result > 0)
        return result;
    return outcome(peer, result) == -EAGAIN ? -EAGAIN : -EPROTO;
}

void tl_tls_say_end(tl_tls_peer *peer)
{
    ssl.ERR_clear_error();
    ssl.SSL_shutdown(peer->ssl);
    ssl.ERR_clear_error();
}

void tl_tls_peer_name(const tl_tls_peer *peer, char *out)
{
    X509 *certificate = ssl.SSL_get1_peer_certificate(peer->ssl);
    out[0] = 0;
    if (certificate == NULL)
        return;
    X509_NAME *subject = ssl.X509_get_subject_name(certificate);
    const int size = subject == NULL ? 0
                                     : ssl.X509_NAME_get_text_by_NID(subject, COMMON_NAME, out,
                                                                     (int)TL_TLS_NAME_BYTES);
    if (size < 0 || (size_t)size != strlen(out)) /* a zero byte inside would cut the name short */
        out[0] = 0;
    ssl.X509_free(certificate);
}
