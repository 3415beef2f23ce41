/* Embeds files with the assembler's .incbin: no generated source, and they stay in pages that are read only when used.
 * CMakeLists.txt says where they are (ORDERLY_DOCS_DIR, ORDERLY_ASSETS_DIR, and ORDERLY_SWAGGER_UI_DIR if it is there).
 */
#include "api/assets.h"

#define EMBED(symbol, path)                                                                                            \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".balign 16\n" #symbol ":\n"                                                                               \
            ".incbin \"" path "\"\n" #symbol "_end:\n"                                                                 \
            ".byte 0\n"                                                                                                \
            ".popsection\n");                                                                                          \
    extern const unsigned char symbol[], symbol##_end[]

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"

EMBED(orderly_asset_openapi, ORDERLY_ASSETS_DIR "/openapi.json");
EMBED(orderly_asset_page_css, ORDERLY_DOCS_DIR "/page.css");

const struct asset asset_openapi = {"openapi.json", "application/json", orderly_asset_openapi,
                                    orderly_asset_openapi_end};

#ifdef ORDERLY_SWAGGER_UI_DIR
EMBED(orderly_asset_page, ORDERLY_DOCS_DIR "/index.html");
EMBED(orderly_asset_init, ORDERLY_DOCS_DIR "/init.js");
EMBED(orderly_asset_bundle, ORDERLY_SWAGGER_UI_DIR "/swagger-ui-bundle.js");
EMBED(orderly_asset_css, ORDERLY_SWAGGER_UI_DIR "/swagger-ui.css");
EMBED(orderly_asset_license, ORDERLY_SWAGGER_UI_DIR "/LICENSE");
#else
EMBED(orderly_asset_page, ORDERLY_DOCS_DIR "/without_ui.html");
#endif

const struct asset asset_docs_page = {"", HTML, orderly_asset_page, orderly_asset_page_end};

const struct asset asset_docs_files[] = {
    {"page.css", CSS, orderly_asset_page_css, orderly_asset_page_css_end},
#ifdef ORDERLY_SWAGGER_UI_DIR
    {"init.js", SCRIPT, orderly_asset_init, orderly_asset_init_end},
    {"swagger-ui-bundle.js", SCRIPT, orderly_asset_bundle, orderly_asset_bundle_end},
    {"swagger-ui.css", CSS, orderly_asset_css, orderly_asset_css_end},
    {"swagger-ui-license.txt", "text/plain; charset=utf-8", orderly_asset_license, orderly_asset_license_end},
#endif
};
const size_t asset_docs_file_count = sizeof asset_docs_files / sizeof *asset_docs_files;
