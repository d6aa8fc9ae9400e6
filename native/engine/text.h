/* text.h — building short messages without stdio. Always NUL-terminated, cut at the end of the buffer. */
#ifndef SSI_TEXT_H
#define SSI_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct ssi_text {
    char *at;
    size_t bytes, used; /* used < bytes: the terminator fits */
} ssi_text;

ssi_text ssi_text_on(char *buffer, size_t bytes); /* bytes >= 1; empties the buffer */
void ssi_text_add(ssi_text *text, const char *string);
void ssi_text_add_number(ssi_text *text, int64_t number);
void ssi_text_add_hex(ssi_text *text, uint64_t number);
/* "EPERM", or the number when the name is not known here. error is positive. */
void ssi_text_add_errno(ssi_text *text, int error);

#endif
