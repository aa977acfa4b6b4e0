/* OpenSSL through a table of its functions. tls.h says what a link is. */
#define _GNU_SOURCE
#include "touchline/wire/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libssl.so.3"

/* From OpenSSL 3's public interface, whose numbers its ABI keeps. */
enum {
    SSL_ERROR_SSL_ = 1,
    SSL_ERROR_WANT_READ_ = 2,
    SSL_ERROR_WANT_WRITE_ = 3,
    SSL_ERROR_SYSCALL_ = 5,
    SSL_ERROR_ZERO_RETURN_ = 6,
    SSL_FILETYPE_PEM_ = 1,
    SSL_VERIFY_NONE_ = 0,
    SSL_VERIFY_PEER_ = 1,
    SSL_VERIFY_FAIL_IF_NO_PEER_CERT_ = 2,
    SSL_CTRL_MODE_ = 33,
    SSL_CTRL_SET_SESS_CACHE_MODE_ = 44,
    SSL_CTRL_SET_MIN_PROTO_VERSION_ = 123,
    SSL_MODE_ENABLE_PARTIAL_WRITE_ = 1,
    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER_ = 2,
    SSL_MODE_RELEASE_BUFFERS_ = 16,
    TLS1_2_VERSION_ = 0x0303,
    TLS1_3_VERSION_ = 0x0304,
    X509_V_OK_ = 0,
    NID_COMMON_NAME_ = 13
};
#define SSL_OP_NO_RENEGOTIATION_ (UINT64_C(1) << 30)

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct x509_st X509;
typedef struct x509_name_st X509_NAME;

/* Result, name, arguments: what is used of the library. */
#define FUNCTIONS(X)                                                                               \
    X(const void *, TLS_server_method, (void))                                                     \
    X(SSL_CTX *, SSL_CTX_new, (const void *))                                                      \
    X(void, SSL_CTX_free, (SSL_CTX *))                                                             \
    X(int, SSL_CTX_up_ref, (SSL_CTX *))                                                            \
    X(long, SSL_CTX_ctrl, (SSL_CTX *, int, long, void *))                                          \
    X(uint64_t, SSL_CTX_set_options, (SSL_CTX *, uint64_t))                                        \
    X(int, SSL_CTX_set_num_tickets, (SSL_CTX *, size_t))                                           \
    X(int, SSL_CTX_use_certificate_chain_file, (SSL_CTX *, const char *))                          \
    X(int, SSL_CTX_use_PrivateKey_file, (SSL_CTX *, const char *, int))                            \
    X(int, SSL_CTX_check_private_key, (const SSL_CTX *))                                           \
    X(int, SSL_CTX_load_verify_locations, (SSL_CTX *, const char *, const char *))                 \
    X(void *, SSL_load_client_CA_file, (const char *))                                             \
    X(void, SSL_CTX_set_client_CA_list, (SSL_CTX *, void *))                                       \
    X(void, SSL_CTX_set_verify, (SSL_CTX *, int, void *))                                          \
    X(SSL *, SSL_new, (SSL_CTX *))                                                                 \
    X(void, SSL_free, (SSL *))                                                                     \
    X(int, SSL_set_fd, (SSL *, int))                                                               \
    X(int, SSL_accept, (SSL *))                                                                    \
    X(int, SSL_read, (SSL *, void *, int))                                                         \
    X(int, SSL_write, (SSL *, const void *, int))                                                  \
    X(int, SSL_pending, (const SSL *))                                                             \
    X(int, SSL_shutdown, (SSL *))                                                                  \
    X(int, SSL_get_error, (const SSL *, int))                                                      \
    X(long, SSL_get_verify_result, (const SSL *))                                                  \
    X(X509 *, SSL_get1_peer_certificate, (const SSL *))                                            \
    X(X509_NAME *, X509_get_subject_name, (const X509 *))                                          \
    X(int, X509_NAME_get_text_by_NID, (X509_NAME *, int, char *, int))                             \
    X(void, X509_free, (X509 *))                                                                   \
    X(void, ERR_clear_error, (void))                                                               \
    X(unsigned long, ERR_peek_last_error, (void))                                                  \
    X(void, ERR_error_string_n, (unsigned long, char *, size_t))

#define MEMBER(result, name, arguments) result(*name) arguments;
static struct {
    FUNCTIONS(MEMBER)
} openssl;
#undef MEMBER

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char missing[TL_TLS_FAULT_BYTES];

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(missing, sizeof missing, "TLS needs %s (OpenSSL 3): %s", LIBRARY, dlerror());
        return;
    }
    /* A pointer to an object is put into one to a function as POSIX has it for dlsym. */
#define FIND(result, name, arguments)                                                              \
    *(void **)&openssl.name = dlsym(library, #name);                                               \
    if (openssl.name == NULL)                                                                      \
        snprintf(missing, sizeof missing, "%s has no %s", LIBRARY, #name);
    FUNCTIONS(FIND)
#undef FIND
}

struct tl_tls {
    pthread_mutex_t lock;
    SSL_CTX *context; /* swapped by a reload */
    char *certificate_file, *key_file, *ca_file;
    tl_tls_client client;
    bool tls_1_2;
};

struct tl_tls_link {
    SSL *ssl;
    bool wants_write;
};

static int unusable(char *fault, const char *what, const char *file)
{
    char reason[160] = "";
    openssl.ERR_error_string_n(openssl.ERR_peek_last_error(), reason, sizeof reason);
    snprintf(fault, TL_TLS_FAULT_BYTES, "%s %.60s can not be used: %s", what, file, reason);
    openssl.ERR_clear_error();
    return -EINVAL;
}

static int set_clients(const tl_tls *tls, SSL_CTX *context, char *fault)
{
    int mode = SSL_VERIFY_NONE_;
    if (tls->client != TL_TLS_CLIENT_ANY) {
        const char *file = tls->ca_file != NULL ? tls->ca_file : "";
        if (openssl.SSL_CTX_load_verify_locations(context, file, NULL) != 1)
            return unusable(fault, "the file of certificate authorities", file);
        void *names = openssl.SSL_load_client_CA_file(file);
        if (names == NULL)
            return unusable(fault, "the file of certificate authorities", file);
        openssl.SSL_CTX_set_client_CA_list(context, names);
        mode = SSL_VERIFY_PEER_;
        if (tls->client == TL_TLS_CLIENT_REQUIRED)
            mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT_;
    }
    openssl.SSL_CTX_set_verify(context, mode, NULL);
    return 0;
}

static int set_up(const tl_tls *tls, SSL_CTX *context, char *fault)
{
    const long modes = SSL_MODE_ENABLE_PARTIAL_WRITE_ | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER_ |
                       SSL_MODE_RELEASE_BUFFERS_;
    openssl.ERR_clear_error();
    openssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION_,
                         tls->tls_1_2 ? TLS1_2_VERSION_ : TLS1_3_VERSION_, NULL);
    openssl.SSL_CTX_ctrl(context, SSL_CTRL_MODE_, modes, NULL);
    /* Nothing is kept of a session that ended: sessions of FIX are long. */
    openssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE_, 0, NULL);
    openssl.SSL_CTX_set_num_tickets(context, 0);
    openssl.SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION_);
    if (openssl.SSL_CTX_use_certificate_chain_file(context, tls->certificate_file) != 1)
        return unusable(fault, "the certificate", tls->certificate_file);
    if (openssl.SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM_) != 1 ||
        openssl.SSL_CTX_check_private_key(context) != 1)
        return unusable(fault, "the key", tls->key_file);
    return set_clients(tls, context, fault);
}

int tl_tls_reload(tl_tls *tls, char fault[TL_TLS_FAULT_BYTES])
{
    SSL_CTX *fresh = openssl.SSL_CTX_new(openssl.TLS_server_method());
    if (fresh == NULL)
        return -ENOMEM;
    const int rc = set_up(tls, fresh, fault);
    if (rc != 0) {
        openssl.SSL_CTX_free(fresh);
        return rc;
    }
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = fresh;
    pthread_mutex_unlock(&tls->lock);
    openssl.SSL_CTX_free(old); /* NULL at the first time; links hold their own reference */
    return 0;
}

int tl_tls_open(tl_tls **out, const tl_tls_config *config, char fault[TL_TLS_FAULT_BYTES])
{
    fault[0] = 0;
    pthread_once(&once, load);
    if (missing[0] != 0) {
        snprintf(fault, TL_TLS_FAULT_BYTES, "%s", missing);
        return -ELIBACC;
    }
    tl_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return -ENOMEM;
    pthread_mutex_init(&tls->lock, NULL);
    tls->certificate_file = strdup(config->certificate_file);
    tls->key_file = strdup(config->key_file);
    tls->ca_file = config->ca_file != NULL ? strdup(config->ca_file) : NULL;
    tls->client = config->client;
    tls->tls_1_2 = config->tls_1_2;
    int rc = -ENOMEM;
    if (tls->certificate_file != NULL && tls->key_file != NULL &&
        (tls->ca_file != NULL || config->ca_file == NULL))
        rc = tl_tls_reload(tls, fault);
    if (rc != 0) {
        tl_tls_close(tls);
        return rc;
    }
    *out = tls;
    return 0;
}

void tl_tls_close(tl_tls *tls)
{
    if (tls == NULL)
        return;
    openssl.SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate_file);
    free(tls->key_file);
    free(tls->ca_file);
    free(tls);
}

int tl_tls_accept(tl_tls_link **out, tl_tls *tls, int fd)
{
    tl_tls_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&tls->lock);
    link->ssl = openssl.SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    if (link->ssl == NULL || openssl.SSL_set_fd(link->ssl, fd) != 1) {
        tl_tls_end(link);
        return -ENOMEM;
    }
    *out = link;
    return 0;
}

/* What an answer of 0 or less means. */
static int fault_of(tl_tls_link *link, int answer)
{
    const int error = errno;
    const int kind = openssl.SSL_get_error(link->ssl, answer);
    link->wants_write = kind == SSL_ERROR_WANT_WRITE_;
    if (kind == SSL_ERROR_WANT_READ_ || kind == SSL_ERROR_WANT_WRITE_)
        return -EAGAIN;
    openssl.ERR_clear_error();
    if (kind == SSL_ERROR_ZERO_RETURN_)
        return 0;
    if (kind == SSL_ERROR_SYSCALL_)
        return error != 0 ? -error : 0;
    return -EPROTO;
}

int tl_tls_handshake(tl_tls_link *link)
{
    link->wants_write = false;
    const int answer = openssl.SSL_accept(link->ssl);
    if (answer == 1)
        return 0;
    const int rc = fault_of(link, answer);
    return rc == -EAGAIN ? -EAGAIN : -EPROTO;
}

ssize_t tl_tls_recv(tl_tls_link *link, void *bytes, size_t count)
{
    const int most = count > INT32_MAX ? INT32_MAX : (int)count;
    link->wants_write = false;
    errno = 0;
    const int got = openssl.SSL_read(link->ssl, bytes, most);
    return got > 0 ? got : fault_of(link, got);
}

ssize_t tl_tls_send(tl_tls_link *link, const void *bytes, size_t count)
{
    const int most = count > INT32_MAX ? INT32_MAX : (int)count;
    link->wants_write = false;
    errno = 0;
    const int put = openssl.SSL_write(link->ssl, bytes, most);
    if (put > 0)
        return put;
    const int rc = fault_of(link, put);
    return rc == 0 ? -EPIPE : rc;
}

bool tl_tls_wants_write(const tl_tls_link *link)
{
    return link->wants_write;
}

bool tl_tls_pending(const tl_tls_link *link)
{
    return openssl.SSL_pending(link->ssl) > 0;
}

void tl_tls_client_name(const tl_tls_link *link, char *out, size_t size)
{
    out[0] = 0;
    X509 *certificate = openssl.SSL_get1_peer_certificate(link->ssl);
    if (certificate == NULL)
        return;
    X509_NAME *subject = openssl.X509_get_subject_name(certificate);
    const int length = openssl.X509_NAME_get_text_by_NID(subject, NID_COMMON_NAME_, out, (int)size);
    /* A name with a zero in it, or one that was cut, is nobody's. */
    if (openssl.SSL_get_verify_result(link->ssl) != X509_V_OK_ || length < 0 ||
        strlen(out) != (size_t)length || (size_t)length + 1 == size)
        out[0] = 0;
    openssl.X509_free(certificate);
}

void tl_tls_end(tl_tls_link *link)
{
    if (link == NULL)
        return;
    if (link->ssl != NULL) {
        openssl.SSL_shutdown(link->ssl);
        openssl.SSL_free(link->ssl);
        openssl.ERR_clear_error();
    }
    free(link);
}
