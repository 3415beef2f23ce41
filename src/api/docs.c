/* GET /openapi.json and /docs: the API's description, and Swagger UI to read it with, all served from here. */
#include "api/api_state.h"

#include <stdio.h>
#include <xxhash.h>

#include "api/assets.h"

/* The page loads nothing from elsewhere and runs no inline script. Swagger UI sets style attributes and draws its icons
 * from data: images. */
#define DOCS_POLICY                                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "                  \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* Browsers ask again each time (no-cache) and mostly get 304. */
static void respond_asset(struct http_request *request, const struct asset *asset) {
    struct bytes bytes = asset_bytes(asset);
    char etag[24];
    snprintf(etag, sizeof etag, "\"%016llx\"", (unsigned long long)XXH3_64bits(bytes.data, bytes.size));
    http_add_header(request, "ETag", etag);
    http_add_header(request, "Cache-Control", "no-cache");
    http_add_header(request, "Content-Security-Policy", DOCS_POLICY);
    struct bytes if_none_match = http_header(request, "If-None-Match");
    if (if_none_match.data && memmem(if_none_match.data, if_none_match.size, etag, strlen(etag)))
        http_respond_static(request, 304, NULL, (struct bytes){"", 0});
    else
        http_respond_static(request, 200, asset->content_type, bytes);
}

void api_get_openapi(struct http_request *request, void *data) {
    respond_asset(request, &asset_openapi);
}

void api_get_docs(struct http_request *request, void *data) {
    respond_asset(request, &asset_docs_page);
}

void api_get_docs_file(struct http_request *request, void *data) {
    struct bytes name = http_param(request, "file");
    for (size_t i = 0; i < asset_docs_file_count; i++) {
        if (!bytes_equal(name, bytes_of(asset_docs_files[i].name))) continue;
        respond_asset(request, &asset_docs_files[i]);
        return;
    }
    api_respond_problem(request, PROBLEM_PAGE_NOT_FOUND);
}
