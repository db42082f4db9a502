/* SHA3-256 (FIPS 202): the template of keccak_kernel.h for each set of instructions, the choice among them, and the padding. */
#include "hashing.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the words of a state are taken from memory as they are: little-endian machines only"
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define X86_64 1
#include <immintrin.h>
#endif

/* FIPS 202, section 3.2.5. */
static const uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t word_at(const uint8_t *data, unsigned i)
{
    uint64_t word;
    memcpy(&word, data + 8 * i, sizeof word);
    return word;
}

#define SHIFT_ROTATE(a, n) (((a) << (n)) | ((a) >> ((64 - (n)) % 64)))
#define PLAIN_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define PLAIN_CHI(a, b, c) ((a) ^ (~(b) & (c)))

#define EACH_WORD_OF_BLOCK(does, a, data) \
    does(a, data, 0) does(a, data, 1) does(a, data, 2) does(a, data, 3) does(a, data, 4) does(a, data, 5) \
    does(a, data, 6) does(a, data, 7) does(a, data, 8) does(a, data, 9) does(a, data, 10) does(a, data, 11) \
    does(a, data, 12) does(a, data, 13) does(a, data, 14) does(a, data, 15) does(a, data, 16)

/* ---- one message, any machine */

#define ABSORB_1(a, data, i) a##i ^= word_at(data[0], i);

#define KERNEL absorb_alone
#define TARGET static
#define WIDTH 1
#define WORD uint64_t
#define XOR3 PLAIN_XOR3
#define CHI PLAIN_CHI
#define ROTATE SHIFT_ROTATE
#define ABSORB(a, data) EACH_WORD_OF_BLOCK(ABSORB_1, a, data)
#include "keccak_kernel.h"

/* ---- two messages in registers of 128 bits, any machine: SSE2, NEON */

typedef uint64_t two_words __attribute__((vector_size(16)));

#define ABSORB_2(a, data, i) a##i ^= (two_words){word_at(data[0], i), word_at(data[1], i)};

#define KERNEL absorb_2
#define TARGET static
#define WIDTH 2
#define WORD two_words
#define XOR3 PLAIN_XOR3
#define CHI PLAIN_CHI
#define ROTATE SHIFT_ROTATE
#define ABSORB(a, data) EACH_WORD_OF_BLOCK(ABSORB_2, a, data)
#include "keccak_kernel.h"

#ifdef X86_64

/* ---- one message with the instructions that every processor with AVX2 has (andn, rorx) */

#define KERNEL absorb_alone_bmi
#define TARGET __attribute__((target("bmi,bmi2"))) static
#define WIDTH 1
#define WORD uint64_t
#define XOR3 PLAIN_XOR3
#define CHI PLAIN_CHI
#define ROTATE SHIFT_ROTATE
#define ABSORB(a, data) EACH_WORD_OF_BLOCK(ABSORB_1, a, data)
#include "keccak_kernel.h"

/* ---- four messages in registers of 256 bits */

typedef uint64_t four_words __attribute__((vector_size(32)));

#define READ_4(data, i) _mm256_loadu_si256((const __m256i *)(const void *)((data) + 8 * (i)))

/* Words i0 to i3 of four messages: read message by message, turned round. */
#define ABSORB_4X4(a, data, i0, i1, i2, i3) \
    do { \
        const __m256i m0 = READ_4(data[0], i0), m1 = READ_4(data[1], i0); \
        const __m256i m2 = READ_4(data[2], i0), m3 = READ_4(data[3], i0); \
        const __m256i low01 = _mm256_unpacklo_epi64(m0, m1), high01 = _mm256_unpackhi_epi64(m0, m1); \
        const __m256i low23 = _mm256_unpacklo_epi64(m2, m3), high23 = _mm256_unpackhi_epi64(m2, m3); \
        a##i0 ^= (four_words)_mm256_permute2x128_si256(low01, low23, 0x20); \
        a##i1 ^= (four_words)_mm256_permute2x128_si256(high01, high23, 0x20); \
        a##i2 ^= (four_words)_mm256_permute2x128_si256(low01, low23, 0x31); \
        a##i3 ^= (four_words)_mm256_permute2x128_si256(high01, high23, 0x31); \
    } while (0)

#define ABSORB_BLOCKS_OF_4(a, data) \
    do { \
        ABSORB_4X4(a, data, 0, 1, 2, 3); \
        ABSORB_4X4(a, data, 4, 5, 6, 7); \
        ABSORB_4X4(a, data, 8, 9, 10, 11); \
        ABSORB_4X4(a, data, 12, 13, 14, 15); \
        a##16 ^= (four_words){word_at(data[0], 16), word_at(data[1], 16), word_at(data[2], 16), word_at(data[3], 16)}; \
    } while (0)

#define KERNEL absorb_4_avx2
#define TARGET __attribute__((target("avx2"))) static
#define WIDTH 4
#define WORD four_words
#define XOR3 PLAIN_XOR3
#define CHI(a, b, c) ((a) ^ (four_words)_mm256_andnot_si256((__m256i)(b), (__m256i)(c)))
#define ROTATE SHIFT_ROTATE
#define ABSORB ABSORB_BLOCKS_OF_4
#include "keccak_kernel.h"

/* As above, with a rotation and any function of three words as single instructions, and 32 registers to hold a state. */
#define TERNARY(a, b, c, table) \
    ((four_words)_mm256_ternarylogic_epi64((__m256i)(a), (__m256i)(b), (__m256i)(c), table))

#define KERNEL absorb_4_avx512
#define TARGET __attribute__((target("avx2,avx512f,avx512vl"))) static
#define WIDTH 4
#define WORD four_words
#define XOR3(a, b, c) TERNARY(a, b, c, 0x96)
#define CHI(a, b, c) TERNARY(a, b, c, 0xd2)
#define ROTATE(a, n) ((four_words)_mm256_rol_epi64((__m256i)(a), n))
#define ABSORB ABSORB_BLOCKS_OF_4
#include "keccak_kernel.h"

#endif /* X86_64 */

const hash_kernel *sha3_kernel(unsigned n)
{
    static const hash_kernel portable = {"portable", SHA3_256_BLOCK, 2, 2, absorb_2, absorb_alone};
    const hash_kernel *usable[3];
    unsigned count = 0;
#ifdef X86_64
    static const hash_kernel avx512 = {"AVX-512", SHA3_256_BLOCK, 4, 2, absorb_4_avx512, absorb_alone_bmi};
    static const hash_kernel avx2 = {"AVX2", SHA3_256_BLOCK, 4, 3, absorb_4_avx2, absorb_alone_bmi};
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
            usable[count++] = &avx512;
        usable[count++] = &avx2;
    }
#endif
    usable[count++] = &portable;
    return n < count ? usable[n] : NULL;
}

void sha3_begin(hash_message *message)
{
    memset(message, 0, sizeof *message);
}

void sha3_digest(const hash_kernel *kernel, const hash_message *message, uint8_t digest[DIGEST_BYTES])
{
    hash_words words = message->words, *state = &words;
    uint8_t last[SHA3_256_BLOCK] = {0};
    const uint8_t *block = last;

    memcpy(last, message->held, message->held_bytes);
    last[message->held_bytes] = 0x06; /* the suffix 01 of SHA-3, and the first bit of the padding 10*1 */
    last[SHA3_256_BLOCK - 1] |= 0x80;
    kernel->alone(&state, &block, 1);
    memcpy(digest, words.keccak, DIGEST_BYTES);
}
