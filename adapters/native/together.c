/* Begun blocks, and which messages go side by side. */
#include "hashing.h"

#include <string.h>

static void advance(hash_job *job, size_t bytes)
{
    job->data += bytes;
    job->size -= bytes;
}

/* Move bytes into the begun block, and hash it if that fills it. */
static void hold(const hash_kernel *kernel, hash_job *job)
{
    hash_message *message = job->message;
    size_t room = kernel->block_bytes - message->held_bytes;
    size_t bytes = job->size < room ? job->size : room;
    if (bytes == 0) /* memcpy may not be given the null pointer of an empty buffer */
        return;
    memcpy(message->held + message->held_bytes, job->data, bytes);
    message->held_bytes += (unsigned)bytes;
    advance(job, bytes);
    if (message->held_bytes == kernel->block_bytes) {
        hash_words *words = &message->words;
        const uint8_t *block = message->held;
        kernel->alone(&words, &block, 1);
        message->held_bytes = 0;
    }
}

static void take_alone(const hash_kernel *kernel, hash_job *job)
{
    hash_words *words = &job->message->words;
    size_t blocks = job->size / kernel->block_bytes;
    kernel->alone(&words, &job->data, blocks);
    advance(job, blocks * kernel->block_bytes);
}

/* Take as many blocks as the shortest of `count` messages has. Places that are left over hash for nobody. */
static void take_together(const hash_kernel *kernel, hash_job *const group[], unsigned count)
{
    hash_words idle[MAX_WIDTH];
    hash_words *states[MAX_WIDTH];
    const uint8_t *data[MAX_WIDTH];
    size_t blocks = SIZE_MAX;

    for (unsigned i = 0; i < count; i++) {
        size_t own = group[i]->size / kernel->block_bytes;
        blocks = own < blocks ? own : blocks;
        states[i] = &group[i]->message->words;
        data[i] = group[i]->data;
    }
    for (unsigned i = count; i < kernel->width; i++) {
        memset(&idle[i], 0, sizeof idle[i]);
        states[i] = &idle[i];
        data[i] = data[0]; /* which has as many blocks as the shortest */
    }
    kernel->together(states, data, blocks);
    for (unsigned i = 0; i < count; i++)
        advance(group[i], blocks * kernel->block_bytes);
}

void hash_together(const hash_kernel *kernel, hash_job *jobs, size_t count)
{
    unsigned grouped;

    for (size_t i = 0; i < count; i++) {
        jobs[i].message->total_bytes += jobs[i].size;
        if (jobs[i].message->held_bytes > 0)
            hold(kernel, &jobs[i]);
    }
    /* A message whose blocks have come to their end makes room for the next one. */
    do {
        hash_job *group[MAX_WIDTH] = {0};
        grouped = 0;
        for (size_t i = 0; i < count && grouped < kernel->width; i++)
            if (jobs[i].size >= kernel->block_bytes)
                group[grouped++] = &jobs[i];
        if (grouped >= kernel->worthwhile)
            take_together(kernel, group, grouped);
        else
            for (unsigned i = 0; i < grouped; i++)
                take_alone(kernel, group[i]);
    } while (grouped > 0);
    for (size_t i = 0; i < count; i++)
        hold(kernel, &jobs[i]);
}
