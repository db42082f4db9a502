/* Hashing of several messages at once on one core: what the two algorithms share. */
#ifndef S3DUCT_HASHING_H
#define S3DUCT_HASHING_H

#include <stddef.h>
#include <stdint.h>

enum {
    KECCAK_WORDS = 25, /* of 64 bits */
    SHA256_WORDS = 8,  /* of 32 bits */
    SHA3_256_BLOCK = 136,
    SHA256_BLOCK = 64,
    DIGEST_BYTES = 32,
    MAX_BLOCK = SHA3_256_BLOCK,
    MAX_WIDTH = 4,
};

typedef union {
    uint64_t keccak[KECCAK_WORDS];
    uint32_t sha256[SHA256_WORDS];
} hash_words;

/* Take `blocks` whole blocks from data[i] into states[i], for as many i as the function is wide; the states must differ. */
typedef void hash_blocks(hash_words *const states[], const uint8_t *const data[], size_t blocks);

/* One way to compute one algorithm. */
typedef struct {
    const char *name;
    unsigned block_bytes;
    unsigned width;      /* messages that `together` takes */
    unsigned worthwhile; /* so many are faster by `together`, filled up with idle ones, than one after another */
    hash_blocks *together;
    hash_blocks *alone;
} hash_kernel;

/* A message, as far as it has come. */
typedef struct {
    hash_words words;
    uint64_t total_bytes;
    uint8_t held[MAX_BLOCK]; /* the begun block */
    unsigned held_bytes;     /* always fewer than a block */
} hash_message;

typedef struct {
    hash_message *message;
    const uint8_t *data;
    size_t size;
} hash_job;

/* Take in the next bytes of `count` messages, which must differ. Their sizes need not be equal. Uses up `jobs`. */
void hash_together(const hash_kernel *kernel, hash_job *jobs, size_t count);

/* The n-th of the implementations that this processor can run, the fastest first; NULL beyond the last. */
const hash_kernel *sha3_kernel(unsigned n);
const hash_kernel *sha256_kernel(unsigned n);

void sha3_begin(hash_message *message);
void sha256_begin(hash_message *message);

/* Write the digest of everything so far; the message may go on. */
void sha3_digest(const hash_kernel *kernel, const hash_message *message, uint8_t digest[DIGEST_BYTES]);
void sha256_digest(const hash_kernel *kernel, const hash_message *message, uint8_t digest[DIGEST_BYTES]);

#endif
