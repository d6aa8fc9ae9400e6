/* ┌──────────────────────────────────────────────────────────────────────────┐
 * │ capture.c — standard output and error of the running execution.            │
 * │                                                                            │
 * │ Ordinary memory on purpose: a restore takes output back like anything else.│
 * │ The buffers cost nothing until they are written.                           │
 * └──────────────────────────────────────────────────────────────────────────┘ */
#include "engine_internal.h"

#define STREAM_BYTES ((size_t)4 << 20)

typedef struct stream {
    size_t used;
    _Alignas(SS_PAGE) uint8_t data[STREAM_BYTES];
} stream;

static stream streams[2];

int ss_capture_append(int stream_number, const void *data, size_t bytes) {
    if (stream_number != 1 && stream_number != 2) return -EINVAL;
    stream *s = &streams[stream_number - 1];
    if (bytes > STREAM_BYTES - s->used) return -ENOSPC;
    memcpy(s->data + s->used, data, bytes);
    s->used += bytes;
    return 0;
}

int ss_capture_read(int stream_number, const uint8_t **data, size_t *bytes) {
    if (stream_number != 1 && stream_number != 2) return -EINVAL;
    stream *s = &streams[stream_number - 1];
    *data = s->data;
    *bytes = s->used;
    return 0;
}
