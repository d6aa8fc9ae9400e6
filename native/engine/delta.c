/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ delta.c — a page as what tells it apart from another one.                  │
 * │                                                                            │
 * │ A bit for each of the 64 lines of 64 bytes: does it differ? For each line  │
 * │ that does a bit for each of its eight words, for each such word a bit for  │
 * │ each of its bytes, and then those bytes. Reference counts and pointers     │
 * │ change in one byte or two of eight, so what is left is a third of the      │
 * │ lines; and against a page of zeroes it leaves zeroes out.                  │
 * │                                                                            │
 * │ Byte i of a word is its i-th in memory: little-endian machines only.       │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define LINES 64u
#define WORDS 8u /* of a line */

_Static_assert(LINES * WORDS * sizeof(uint64_t) == SS_PAGE, "a bit for each line must fit into one word");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are numbered from the low end of a word");

/* A bit for each byte that is not 0. */
static inline uint32_t bytes_of(uint64_t word) {
    word |= word >> 4;
    word |= word >> 2;
    word |= word >> 1;
    return (uint32_t)((word & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56);
}

static uint8_t *code_line(const uint64_t *line, const uint64_t *reference, uint8_t *out) {
    uint8_t *words = out++;
    *words = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t bytes = bytes_of(line[i] ^ reference[i]);
        if (!bytes) continue;
        *words |= (uint8_t)(1u << i);
        *out++ = (uint8_t)bytes;
        for (; bytes; bytes &= bytes - 1) *out++ = (uint8_t)(line[i] >> (8 * (uint32_t)__builtin_ctz(bytes)));
    }
    return out;
}

uint32_t ssi_delta_code(const void *page, const void *reference, uint8_t *out) {
    uint64_t lines = 0;
    uint8_t *end = out + sizeof lines;
    for (uint32_t i = 0; i < LINES; i++) {
        const uint64_t *line = (const uint64_t *)page + i * WORDS, *old = (const uint64_t *)reference + i * WORDS;
        if (!memcmp(line, old, WORDS * sizeof *line)) continue;
        lines |= UINT64_C(1) << i;
        end = code_line(line, old, end);
    }
    memcpy(out, &lines, sizeof lines);
    return (uint32_t)(end - out);
}

uint32_t ssi_delta_apply(const uint8_t *code, void *page) {
    const uint8_t *at = code;
    uint64_t lines;
    memcpy(&lines, at, sizeof lines);
    at += sizeof lines;
    for (; lines; lines &= lines - 1) {
        uint8_t *line = (uint8_t *)page + (size_t)__builtin_ctzll(lines) * WORDS * sizeof(uint64_t);
        for (uint32_t words = *at++; words; words &= words - 1) {
            uint8_t *word = line + (size_t)__builtin_ctz(words) * sizeof(uint64_t);
            for (uint32_t bytes = *at++; bytes; bytes &= bytes - 1) word[__builtin_ctz(bytes)] = *at++;
        }
    }
    return (uint32_t)(at - code);
}
