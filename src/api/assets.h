/* Files embedded in the program: the API's description and its documentation page. */
#ifndef ORDERLY_API_ASSETS_H
#define ORDERLY_API_ASSETS_H

#include "base/bytes.h"

struct asset {
    const char *name; /* of the file under /docs/ */
    const char *content_type;
    const unsigned char *data, *end;
};

static inline struct bytes asset_bytes(const struct asset *asset) {
    return (struct bytes){(const char *)asset->data, (size_t)(asset->end - asset->data)};
}

extern const struct asset asset_openapi;      /* openapi.yaml as JSON */
extern const struct asset asset_docs_page;    /* with Swagger UI, or without it how to get it */
extern const struct asset asset_docs_files[]; /* what the page loads */
extern const size_t asset_docs_file_count;

#endif
