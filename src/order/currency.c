/* The active codes of ISO 4217 (list one, as of January 2026).
 *
 * Only a client's input is held against it: what is stored stays readable when a code leaves the list. */
#include "order/currency.h"

#define CODE_SIZE 3

/* Sorted, without separators. */
static const char codes[] =
    "AEDAFNALLAMDAOAARSAUDAWGAZNBAMBBDBDTBHDBIFBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHWCLFCLPCNYCOPCOUCRCCUPCVECZK"
    "DJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPWKRWKWD"
    "KYDKZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQAR"
    "RONRSDRUBRWFSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUSNUYIUYUUYWUZSVEDVES"
    "VNDVUVWSTXADXAFXAGXAUXBAXBBXBCXBDXCDXCGXDRXOFXPDXPFXPTXSUXTSXUAXXXYERZARZMWZWG";

bool currency_is_active(struct bytes code) {
    if (code.size != CODE_SIZE) return false;
    size_t low = 0, high = (sizeof codes - 1) / CODE_SIZE;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(code.data, codes + middle * CODE_SIZE, CODE_SIZE);
        if (order == 0) return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
