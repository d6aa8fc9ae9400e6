/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ text.c — building short messages without stdio.                            │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "text.h"

#include <errno.h>

ssi_text ssi_text_on(char *buffer, size_t bytes) {
    buffer[0] = 0;
    return (ssi_text){buffer, bytes, 0};
}

void ssi_text_add(ssi_text *text, const char *string) {
    while (*string && text->used + 1 < text->bytes) text->at[text->used++] = *string++;
    text->at[text->used] = 0;
}

void ssi_text_add_number(ssi_text *text, int64_t number) {
    char digits[24];
    size_t i = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    digits[--i] = 0;
    do digits[--i] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--i] = '-';
    ssi_text_add(text, digits + i);
}

void ssi_text_add_hex(ssi_text *text, uint64_t number) {
    char digits[20];
    size_t i = sizeof digits;
    digits[--i] = 0;
    do digits[--i] = "0123456789abcdef"[number % 16];
    while (number /= 16);
    ssi_text_add(text, "0x");
    ssi_text_add(text, digits + i);
}

void ssi_text_add_errno(ssi_text *text, int error) {
    static const struct {
        int error;
        const char *name;
    } names[] = {{EPERM, "EPERM"},   {EACCES, "EACCES"}, {ENOSYS, "ENOSYS"}, {EINVAL, "EINVAL"}, {ENOMEM, "ENOMEM"},
                 {ENOTTY, "ENOTTY"}, {ENOENT, "ENOENT"}, {EBUSY, "EBUSY"},   {EMFILE, "EMFILE"}, {EFAULT, "EFAULT"},
                 {EAGAIN, "EAGAIN"}, {EINTR, "EINTR"},   {ENOSPC, "ENOSPC"}, {E2BIG, "E2BIG"},   {ENOTSUP, "ENOTSUP"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error) {
            ssi_text_add(text, names[i].name);
            return;
        }
    ssi_text_add(text, "errno ");
    ssi_text_add_number(text, error);
}
