/* SHA-256 (FIPS 180-4) with the SHA instructions of x86-64, one message or two.
 *
 * Each round waits for the one before, so a second message costs little. And blocks are asked for long before they are
 * needed: a chunk is far larger than the caches, and the order of the rounds keeps a processor from looking ahead far enough.
 */
#include "hashing.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <immintrin.h>

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define SHA_NI __attribute__((target("sha,sse4.1,ssse3")))
#define AHEAD_BYTES 4096 /* the memory's latency, at the speed of hashing */

/* The state as the instructions want it: the words a, b, e, f and c, d, g, h. */
typedef struct {
    __m128i abef, cdgh;
} halves;

SHA_NI static inline halves load(const uint32_t words[SHA256_WORDS])
{
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)words), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(words + 4)), 0x1b);
    halves state = {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
    return state;
}

SHA_NI static inline void store(uint32_t words[SHA256_WORDS], halves state)
{
    __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b), dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)words, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(words + 4), _mm_alignr_epi8(dchg, feba, 8));
}

SHA_NI static inline void read_block(__m128i schedule[4], const uint8_t *block)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    for (int i = 0; i < 4; i++) {
        __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i));
        schedule[i] = _mm_shuffle_epi8(words, big_endian);
    }
    _mm_prefetch((const char *)block + AHEAD_BYTES, _MM_HINT_T0); /* never faults, also beyond the end */
}

/* Four rounds, the `turn`-th of sixteen, and four words of the schedule for later ones. */
SHA_NI static inline void four_rounds(halves *state, __m128i schedule[4], int turn)
{
    __m128i words = schedule[turn % 4], next = schedule[(turn + 1) % 4], last = schedule[(turn + 3) % 4];
    __m128i sums = _mm_add_epi32(words, _mm_load_si128((const __m128i *)(const void *)(round_constants + 4 * turn)));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sums);
    if (turn < 12) {
        __m128i later = _mm_sha256msg1_epu32(words, next);
        later = _mm_add_epi32(later, _mm_alignr_epi8(last, schedule[(turn + 2) % 4], 4));
        schedule[turn % 4] = _mm_sha256msg2_epu32(later, last);
    }
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sums, 0x0e));
}

SHA_NI static inline __attribute__((always_inline)) void
take_blocks(hash_words *const states[], const uint8_t *const data[], size_t blocks, const int width)
{
    halves state[2], before[2];
    __m128i schedule[2][4];
    const uint8_t *block[2];

    for (int i = 0; i < width; i++) {
        state[i] = load(states[i]->sha256);
        block[i] = data[i];
    }
    for (; blocks > 0; blocks--) {
        for (int i = 0; i < width; i++) {
            before[i] = state[i];
            read_block(schedule[i], block[i]);
            block[i] += SHA256_BLOCK;
        }
#pragma GCC unroll 16
        for (int turn = 0; turn < 16; turn++) {
            four_rounds(&state[0], schedule[0], turn);
            if (width == 2)
                four_rounds(&state[1], schedule[1], turn);
        }
        for (int i = 0; i < width; i++) {
            state[i].abef = _mm_add_epi32(state[i].abef, before[i].abef);
            state[i].cdgh = _mm_add_epi32(state[i].cdgh, before[i].cdgh);
        }
    }
    for (int i = 0; i < width; i++)
        store(states[i]->sha256, state[i]);
}

SHA_NI static void take_alone(hash_words *const states[], const uint8_t *const data[], size_t blocks)
{
    take_blocks(states, data, blocks, 1);
}

SHA_NI static void take_2(hash_words *const states[], const uint8_t *const data[], size_t blocks)
{
    take_blocks(states, data, blocks, 2);
}

/* Not every compiler knows "sha" as a name of __builtin_cpu_supports. */
static int has_sha_instructions(void)
{
    unsigned a, b, c, d;
    __builtin_cpu_init();
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1") &&
           __builtin_cpu_supports("ssse3");
}

const hash_kernel *sha256_kernel(unsigned n)
{
    static const hash_kernel sha_ni = {"SHA-NI", SHA256_BLOCK, 2, 2, take_2, take_alone};
    return n == 0 && has_sha_instructions() ? &sha_ni : NULL;
}

#else

const hash_kernel *sha256_kernel(unsigned n)
{
    (void)n;
    return NULL;
}

#endif

void sha256_begin(hash_message *message)
{
    static const uint32_t first[SHA256_WORDS] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memset(message, 0, sizeof *message);
    memcpy(message->words.sha256, first, sizeof first);
}

static void write_big_endian(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

void sha256_digest(const hash_kernel *kernel, const hash_message *message, uint8_t digest[DIGEST_BYTES])
{
    hash_words words = message->words, *state = &words;
    uint8_t last[2 * SHA256_BLOCK] = {0};
    const uint8_t *block = last;
    unsigned blocks = message->held_bytes < SHA256_BLOCK - 8 ? 1 : 2; /* a bit 1, and the length in 8 bytes */

    memcpy(last, message->held, message->held_bytes);
    last[message->held_bytes] = 0x80;
    write_big_endian(last + blocks * SHA256_BLOCK - 8, message->total_bytes * 8, 8);
    kernel->alone(&state, &block, blocks);
    for (unsigned i = 0; i < SHA256_WORDS; i++)
        write_big_endian(digest + 4 * i, words.sha256[i], 4);
}
