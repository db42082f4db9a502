/* Template of a kernel: include it with these defined, and it defines `KERNEL` and undefines them again.
 *
 *   KERNEL      name of the function, a `hash_blocks`
 *   TARGET      attribute that allows the instructions
 *   WIDTH       how many messages
 *   WORD        WIDTH words of 64 bits, the i-th of each message
 *   XOR3(a, b, c), CHI(a, b, c) = a ^ (~b & c), ROTATE(a, n)
 *   ABSORB(a, data)  xors a block of each message into a##0 ... a##16
 *
 * The permutation is Keccak-f[1600] (FIPS 202, section 3.3). Word x + 5y is lane (x, y) of the standard; words are named
 * variables and not an array, so that compilers keep them in registers at any level of optimisation.
 */

/* One row of chi over five words that theta, rho and pi have brought there from words i0 to i4. */
#define ROW(e, a, y0, y1, y2, y3, y4, i0, r0, i1, r1, i2, r2, i3, r3, i4, r4) \
    do { \
        const WORD b0 = ROTATE(a##i0 ^ d_of_##i0, r0), b1 = ROTATE(a##i1 ^ d_of_##i1, r1); \
        const WORD b2 = ROTATE(a##i2 ^ d_of_##i2, r2), b3 = ROTATE(a##i3 ^ d_of_##i3, r3); \
        const WORD b4 = ROTATE(a##i4 ^ d_of_##i4, r4); \
        e##y0 = CHI(b0, b1, b2); \
        e##y1 = CHI(b1, b2, b3); \
        e##y2 = CHI(b2, b3, b4); \
        e##y3 = CHI(b3, b4, b0); \
        e##y4 = CHI(b4, b0, b1); \
    } while (0)

/* Which parity of theta goes into which word: that of its column. */
#define d_of_0 d0
#define d_of_1 d1
#define d_of_2 d2
#define d_of_3 d3
#define d_of_4 d4
#define d_of_5 d0
#define d_of_6 d1
#define d_of_7 d2
#define d_of_8 d3
#define d_of_9 d4
#define d_of_10 d0
#define d_of_11 d1
#define d_of_12 d2
#define d_of_13 d3
#define d_of_14 d4
#define d_of_15 d0
#define d_of_16 d1
#define d_of_17 d2
#define d_of_18 d3
#define d_of_19 d4
#define d_of_20 d0
#define d_of_21 d1
#define d_of_22 d2
#define d_of_23 d3
#define d_of_24 d4

#define PARITY(a, i0, i1, i2, i3, i4) XOR3(XOR3(a##i0, a##i1, a##i2), a##i3, a##i4)

#define ROUND(e, a, constant) \
    do { \
        const WORD c0 = PARITY(a, 0, 5, 10, 15, 20), c1 = PARITY(a, 1, 6, 11, 16, 21); \
        const WORD c2 = PARITY(a, 2, 7, 12, 17, 22), c3 = PARITY(a, 3, 8, 13, 18, 23); \
        const WORD c4 = PARITY(a, 4, 9, 14, 19, 24); \
        const WORD d0 = c4 ^ ROTATE(c1, 1), d1 = c0 ^ ROTATE(c2, 1), d2 = c1 ^ ROTATE(c3, 1); \
        const WORD d3 = c2 ^ ROTATE(c4, 1), d4 = c3 ^ ROTATE(c0, 1); \
        ROW(e, a, 0, 1, 2, 3, 4, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14); \
        e##0 ^= constant; \
        ROW(e, a, 5, 6, 7, 8, 9, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61); \
        ROW(e, a, 10, 11, 12, 13, 14, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18); \
        ROW(e, a, 15, 16, 17, 18, 19, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56); \
        ROW(e, a, 20, 21, 22, 23, 24, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2); \
    } while (0)

#define EVERY_WORD(does) \
    does(0) does(1) does(2) does(3) does(4) does(5) does(6) does(7) does(8) does(9) does(10) does(11) does(12) \
    does(13) does(14) does(15) does(16) does(17) does(18) does(19) does(20) does(21) does(22) does(23) does(24)

#define DECLARE(i) WORD a##i, e##i;
#define LOAD(i) memcpy(&a##i, words[i], sizeof a##i);
#define STORE(i) memcpy(words[i], &a##i, sizeof a##i);

TARGET void KERNEL(hash_words *const states[], const uint8_t *const data[], size_t blocks)
{
    uint64_t words[KECCAK_WORDS][WIDTH];
    const uint8_t *block[WIDTH];
    EVERY_WORD(DECLARE)

    for (unsigned message = 0; message < WIDTH; message++) {
        block[message] = data[message];
        for (unsigned i = 0; i < KECCAK_WORDS; i++)
            words[i][message] = states[message]->keccak[i];
    }
    EVERY_WORD(LOAD)
    for (; blocks > 0; blocks--) {
        ABSORB(a, block);
        for (unsigned round = 0; round < 24; round += 2) {
            ROUND(e, a, round_constants[round]);
            ROUND(a, e, round_constants[round + 1]);
        }
        for (unsigned message = 0; message < WIDTH; message++)
            block[message] += SHA3_256_BLOCK;
    }
    EVERY_WORD(STORE)
    for (unsigned message = 0; message < WIDTH; message++)
        for (unsigned i = 0; i < KECCAK_WORDS; i++)
            states[message]->keccak[i] = words[i][message];
}

#undef KERNEL
#undef TARGET
#undef WIDTH
#undef WORD
#undef XOR3
#undef CHI
#undef ROTATE
#undef ABSORB
#undef ROW
#undef PARITY
#undef ROUND
#undef EVERY_WORD
#undef DECLARE
#undef LOAD
#undef STORE
