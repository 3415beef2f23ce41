/* UTF-8 as JSON needs it: validity and length. */
#include "base/json_parts.h"

bool json_utf8_is_valid(struct bytes bytes) {
    const char *at = bytes.size ? bytes.data : "", *end = at + bytes.size;
    while (at < end) {
        size_t step = json_utf8_step(at, end);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

size_t json_utf8_length(struct bytes bytes) {
    size_t length = 0;
    for (size_t i = 0; i < bytes.size; i++)
        length += ((uint8_t)bytes.data[i] & 0xc0) != 0x80;
    return length;
}
