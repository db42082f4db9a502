/* Hashes what it reads on stdin, and writes the digests: the kernels without Python around them, for sanitizers.
 *
 * Numbers are 32 bits, little-endian: algorithm (0: SHA-256, 1: SHA3-256), kernel, lanes, updates; then for each update the size
 * of each lane's piece, and the pieces. Each piece has an allocation of its own, so that a byte read beyond it is found. The
 * digests follow as 32 bytes each; no lane at all is the end. Exit code 2: there is no such kernel here.
 */
#include "hashing.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t number(void)
{
    uint8_t bytes[4];
    if (fread(bytes, 1, 4, stdin) != 4)
        exit(3);
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void update(const hash_kernel *kernel, hash_message *messages, size_t lanes)
{
    hash_job *jobs = calloc(lanes, sizeof *jobs);
    uint8_t **pieces = calloc(lanes, sizeof *pieces);
    for (size_t i = 0; i < lanes; i++)
        jobs[i].size = number();
    for (size_t i = 0; i < lanes; i++) {
        pieces[i] = malloc(jobs[i].size);
        if (fread(pieces[i], 1, jobs[i].size, stdin) != jobs[i].size)
            exit(3);
        jobs[i].message = &messages[i];
        jobs[i].data = jobs[i].size == 0 ? NULL : pieces[i];
    }
    hash_together(kernel, jobs, lanes);
    for (size_t i = 0; i < lanes; i++)
        free(pieces[i]);
    free(pieces);
    free(jobs);
}

int main(void)
{
    for (;;) {
        uint32_t is_sha3 = number(), which = number(), lanes = number(), updates = number();
        const hash_kernel *kernel = is_sha3 ? sha3_kernel(which) : sha256_kernel(which);
        if (lanes == 0)
            return 0;
        if (kernel == NULL)
            return 2;
        hash_message *messages = calloc(lanes, sizeof *messages);
        for (size_t i = 0; i < lanes; i++)
            (is_sha3 ? sha3_begin : sha256_begin)(&messages[i]);
        for (; updates > 0; updates--)
            update(kernel, messages, lanes);
        for (size_t i = 0; i < lanes; i++) {
            uint8_t digest[DIGEST_BYTES];
            (is_sha3 ? sha3_digest : sha256_digest)(kernel, &messages[i], digest);
            fwrite(digest, 1, sizeof digest, stdout);
        }
        free(messages);
    }
}
