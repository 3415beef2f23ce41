/* TLS to Redis, where the installed hiredis has it: the server's certificate must be signed by the CA and name the
 * host. */
#include "order_cache/redis_internal.h"

#ifdef ORDERLY_HIREDIS_SSL

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct redis_tls {
    SSL_CTX *context;
    const char *host;
    bool is_address; /* an IP address, not a name */
};

static enum status openssl_error(struct error *error, const char *what) {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return error_set(error, STATUS_INVALID, "TLS to Redis: %s: %s", what, text);
}

enum status redis_tls_open(const struct order_cache_redis_options *options, struct redis_tls **tls_out,
                           struct error *error) {
    unsigned char address[sizeof(struct in6_addr)];
    struct redis_tls *tls = calloc(1, sizeof *tls);
    if (!tls) return error_set(error, STATUS_NO_MEMORY, "no memory");
    tls->host = options->host;
    tls->is_address =
        inet_pton(AF_INET, options->host, address) == 1 || inet_pton(AF_INET6, options->host, address) == 1;
    tls->context = SSL_CTX_new(TLS_client_method());
    enum status status = STATUS_OK;
    if (!tls->context || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        status = openssl_error(error, "OpenSSL does not start");
    else if (options->tls_ca_file[0] && SSL_CTX_load_verify_locations(tls->context, options->tls_ca_file, NULL) != 1)
        status = openssl_error(error, options->tls_ca_file);
    else if (!options->tls_ca_file[0] && SSL_CTX_set_default_verify_paths(tls->context) != 1)
        status = openssl_error(error, "the system's CA certificates");
    if (status != STATUS_OK) {
        redis_tls_close(tls);
        return status;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    *tls_out = tls;
    return STATUS_OK;
}

static bool expect_host(const struct redis_tls *tls, SSL *ssl) {
    if (tls->is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), tls->host) == 1;
    return SSL_set1_host(ssl, tls->host) == 1 && SSL_set_tlsext_host_name(ssl, tls->host) == 1;
}

/* hiredis's own redisSSLContext checks the signature, not whose certificate it is. */
bool redis_tls_start(struct redis_tls *tls, redisContext *context) {
    if (!tls) return true;
    SSL *ssl = SSL_new(tls->context);
    if (!ssl) return false;
    if (expect_host(tls, ssl) && redisInitiateSSL(context, ssl) == REDIS_OK) return true;
    if (!context->privctx) SSL_free(ssl); /* else it is the context's */
    return false;
}

void redis_tls_close(struct redis_tls *tls) {
    if (!tls) return;
    SSL_CTX_free(tls->context);
    free(tls);
}

#else

enum status redis_tls_open(const struct order_cache_redis_options *options, struct redis_tls **tls_out,
                           struct error *error) {
    return error_set(
        error, STATUS_UNSUPPORTED,
        "TLS to Redis needs hiredis 1.0 or newer with hiredis_ssl, and this program was built with hiredis "
        "%d.%d.%d: build it with a newer one, or unset ORDERLY_REDIS_TLS and put stunnel in between",
        HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

bool redis_tls_start(struct redis_tls *tls, redisContext *context) {
    return true;
}

void redis_tls_close(struct redis_tls *tls) {
}

#endif
