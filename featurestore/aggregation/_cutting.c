/* Cutting: rows read at the speed of the machine; `cutting.py` says what for, and when not.

   The rules are those of `windows`, `accumulators` and `kernels`, in the same order of additions:
   the bits of a value do not depend on who reads it. tests/serving/test_cutting.py holds them
   together. Numbers only; frames are described in `frames.py`, `narrow.py` and `packing.py`. No state
   but scratch memory, used while the interpreter's lock is held. `plain` is that of `plain.py`.

   Compile without contraction of a * b + c (-ffp-contract=off): it would change bits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define EVENT 0x03
#define POINTS 0x21
#define TILES 0x22
#define COMPACTED 0x24
#define PACKED 0x25
#define KIND_BITS 5
#define KIND_MASK 0x1F
#define NARROW 0x08
#define SCALE_MASK 0x03
#define MISSING INT64_MIN

enum span { SLIDING, TUMBLING, COMPLETE };
enum merge { EVENTS, COUNTING, SUMMING, DEVIATION, SMALLEST, LARGEST, FIRST, LAST };
enum value { WHOLE, NUMBER, TRUTH, COUNT, TOTAL, FLOAT_TOTAL, MEAN, SPREAD };

typedef union { int64_t i; double d; } word;
typedef struct { int64_t span, width, offset; } window;
/* A state column: how it merges; where it stands in an event and in a tile; whether it is of floats,
   may be missing; where its time or its sum and its count stand in a tile; the columns merged
   before it that hold the sum and the count. */
typedef struct {
    int64_t merge, point, tile, floats, nullable, also, counted, summed_by, counted_by;
} column;
typedef struct { int64_t window, value, column, counted_by; } output;
typedef struct { int64_t last; const char *at; int is_tile; } record;
/* Bytes that are made: how many there are, and for how many there is room. */
typedef struct { char *at; Py_ssize_t size, room; } buffer;
/* Events that stand alone: how many words each has, 0 where there are none; which words are floats. */
typedef struct { Py_ssize_t words; const char *floats; } events_alone;

typedef struct {
    PyObject_HEAD
    Py_ssize_t point, tile; /* bytes of an event and of a tile */
    int has_heap;           /* records of frames may have values in a heap */
    Py_ssize_t windows, columns, outputs, room;
    int has_tiles; /* the row being read */
    window *window;
    column *column;
    output *output;
    word *merged;   /* a row of columns for each window */
    int64_t *bound; /* for each window: its first record, the one behind its last */
    record *record, *spare;
    PyObject *floats;
    events_alone alone;
    buffer plain; /* frames that were packed, events that were narrow */
} Cutter;

static inline word word_at(const char *at, int64_t place) {
    word w;
    memcpy(&w, at + 8 * place, 8);
    return w;
}

static inline int64_t floor_mod(int64_t a, int64_t b) {
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

/* ---- records -------------------------------------------------------------------------------- */

static int grow(Cutter *self, Py_ssize_t records) {
    if (records <= self->room) return 1;
    Py_ssize_t room = 2 * records;
    record *one = PyMem_Realloc(self->record, room * sizeof(record));
    if (one) self->record = one;
    record *two = PyMem_Realloc(self->spare, room * sizeof(record));
    if (two) self->spare = two;
    if (!one || !two) return PyErr_NoMemory(), 0;
    self->room = room;
    return 1;
}

/* Sort by time, stable; merge sort from short runs up, as nearly all rows are sorted already. */
static void sort(Cutter *self, Py_ssize_t n) {
    record *from = self->record, *to = self->spare;
    for (Py_ssize_t run = 1; run < n; run *= 2) {
        for (Py_ssize_t start = 0; start < n; start += 2 * run) {
            Py_ssize_t half = start + run < n ? start + run : n;
            Py_ssize_t end = half + run < n ? half + run : n, a = start, b = half;
            for (Py_ssize_t i = start; i < end; i++)
                to[i] = b >= end || (a < half && from[a].last <= from[b].last) ? from[a++] : from[b++];
        }
        record *swap = from;
        from = to;
        to = swap;
    }
    if (from != self->record) {
        self->spare = self->record;
        self->record = from;
    }
}

static int64_t time_of(const char *event) { return word_at(event, 0).i >> KIND_BITS; }

/* ---- packed frames -------------------------------------------------------------------------- */

/* Make room for so many bytes more. */
static int make_room(buffer *to, Py_ssize_t more) {
    if (to->size + more <= to->room) return 1;
    char *at = PyMem_Realloc(to->at, 2 * (to->size + more));
    if (!at) return PyErr_NoMemory(), 0;
    to->at = at;
    to->room = 2 * (to->size + more);
    return 1;
}

/* A little-endian number of so many bytes; those behind it, up to `end`, may be read. */
static inline uint64_t number_at(const char *at, const char *end, int size) {
    uint64_t number = 0;
    if (end - at < 8) {
        memcpy(&number, at, size);
        return number;
    }
    memcpy(&number, at, 8);
    return size < 8 ? number & ((1ULL << 8 * size) - 1) : number;
}

/* Unpack one column: so many records that are `step` bytes apart, into words `width` apart. */
static void unpack_column(const char *from, const char *end, Py_ssize_t count, Py_ssize_t step, int size,
                          int64_t least, double scale, char *to, Py_ssize_t width) {
    for (Py_ssize_t i = 0; i < count; i++, from += step, to += 8 * width) {
        word w = {.i = (int64_t)((uint64_t)least + number_at(from, end, size))};
        if (scale) w.d = (double)w.i / scale;
        memcpy(to, &w, 8);
    }
}

static const double scales[] = {0, 1, 1e2, 1e4, 1e6}; /* the first for words as they are */

/* Unpack a section of a packed frame as frames; return how long it is, -1 where it is none. */
static Py_ssize_t unpack_section(const char *body, Py_ssize_t size, buffer *made) {
    if (size < 4) return -1;
    int kind = (unsigned char)body[0], width = (unsigned char)body[1];
    uint16_t count;
    memcpy(&count, body + 2, 2);
    const char *shape = body + 4, *least = shape + width, *from = least + 8 * width;
    if ((kind != TILES && kind != EVENT) || !width || !count || size < 4 + 9 * width) return -1;
    Py_ssize_t step = 0, length = 8 * (Py_ssize_t)count * width;
    for (int i = 0; i < width; i++) {
        if ((shape[i] & 15) > 8 || (shape[i] >> 4 & 15) > 4) return -1;
        step += shape[i] & 15;
    }
    if (size - 4 - 9 * width < count * step) return -1;
    if (!make_room(made, 8 + length)) return -1;
    char *to = made->at + made->size;
    if (kind == TILES) {
        uint64_t header = TILES | (uint64_t)count << 16 | (uint64_t)length << 32;
        memcpy(to, &header, 8);
        to += 8;
    }
    made->size = to + length - made->at;
    for (int i = 0; i < width; i++) {
        int bytes = shape[i] & 15;
        unpack_column(from, body + size, count, step, bytes, word_at(least, i).i, scales[shape[i] >> 4 & 15],
                      to + 8 * i, width);
        from += bytes;
    }
    for (Py_ssize_t i = 0; kind == EVENT && i < count; i++, to += 8 * width) {
        uint64_t first = (uint64_t)word_at(to, 0).i << KIND_BITS | EVENT;
        memcpy(to, &first, 8);
    }
    return 4 + 9 * width + count * step;
}

/* Find the frames that a compacted row starts with, and where the others begin; 0 where it is none. */
static int unpack(const char *row, Py_ssize_t size, buffer *made, const char **old, Py_ssize_t *old_size,
                  Py_ssize_t *others) {
    *others = *old_size = made->size = 0;
    int kind = size ? (unsigned char)row[0] : 0;
    if (kind != COMPACTED && kind != PACKED) return 1;
    if (size < 8) return 0;
    uint64_t header = (uint64_t)word_at(row, 0).i;
    Py_ssize_t pad = header >> 8 & 0xFF, length = header >> 32;
    if (header >> 16 & 0xFFFF || pad > length || length > size - 8) return 0;
    *others = 8 + length;
    *old = row + 8;
    *old_size = length - pad;
    if (kind == COMPACTED) return 1;
    for (Py_ssize_t at = 0; at < length - pad;) {
        Py_ssize_t section = unpack_section(row + 8 + at, length - pad - at, made);
        if (section < 0) return 0;
        at += section;
    }
    *old = made->at;
    *old_size = made->size;
    return 1;
}

/* ---- narrow events -------------------------------------------------------------------------- */

static inline int is_narrow(const char *at, const events_alone *of) {
    return of->words > 1 && (*at & KIND_MASK & ~SCALE_MASK) == NARROW;
}

static inline Py_ssize_t narrow_bytes(const events_alone *of) { return 8 + 4 * (of->words - 1); }

/* Write a narrow event as a wide one. */
static void widen(const char *event, const events_alone *of, char *to) {
    double scale = scales[1 + (*event & SCALE_MASK)];
    int64_t first = word_at(event, 0).i;
    first = (int64_t)(((uint64_t)first & ~(uint64_t)KIND_MASK) | EVENT);
    memcpy(to, &first, 8);
    for (Py_ssize_t i = 1; i < of->words; i++) {
        int32_t number;
        memcpy(&number, event + 4 + 4 * i, 4);
        word w = {.i = number == INT32_MIN ? MISSING : number};
        if (of->floats[i]) w.d = number == INT32_MIN ? NAN : number / scale;
        memcpy(to + 8 * i, &w, 8);
    }
}

/* Append frames, wide events instead of narrow ones; 0 where a narrow event is cut off. */
static int widen_all(const char *row, Py_ssize_t size, const events_alone *of, buffer *made) {
    Py_ssize_t wide = 8 * of->words;
    if (!make_room(made, 2 * size)) return 0;
    for (Py_ssize_t at = 0; at < size;) {
        Py_ssize_t length;
        if (is_narrow(row + at, of)) {
            if (narrow_bytes(of) > size - at) return 0;
            widen(row + at, of, made->at + made->size);
            made->size += wide;
            at += narrow_bytes(of);
            continue;
        }
        if (of->words && (row[at] & KIND_MASK) == EVENT) length = wide;
        else length = size - at < 8 ? size - at : 8 + (Py_ssize_t)((uint64_t)word_at(row + at, 0).i >> 32);
        if (length > size - at) length = size - at;
        memcpy(made->at + made->size, row + at, length);
        made->size += length;
        at += length;
    }
    return 1;
}

/* plain(row, floats): see `plain.py`; None for a damaged one. */
static PyObject *plain_row(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    static buffer made;
    events_alone of;
    char *row, *floats;
    const char *old = NULL;
    Py_ssize_t size, old_size, others;
    if (count != 2) return PyErr_SetString(PyExc_TypeError, "plain takes a row and which words are floats"), NULL;
    if (PyBytes_AsStringAndSize(args[0], &row, &size) < 0) return NULL;
    if (PyBytes_AsStringAndSize(args[1], &floats, &of.words) < 0) return NULL;
    of.floats = floats;
    if (unpack(row, size, &made, &old, &old_size, &others)) {
        PyObject *found = NULL;
        if (old_size && old != made.at) {
            if (!make_room(&made, old_size)) return NULL;
            memcpy(made.at, old, old_size);
            made.size = old_size;
        }
        if (widen_all(row + others, size - others, &of, &made))
            found = PyBytes_FromStringAndSize(made.at, made.size);
        if (found || PyErr_Occurred()) return found;
    }
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* ---- loading -------------------------------------------------------------------------------- */

/* Append the records of one kind; -1 where the bytes are no frames. Of those that a compacted row
   starts with none is narrow. */
static Py_ssize_t records_of(Cutter *self, const char *row, Py_ssize_t size, int kind, int is_old, Py_ssize_t n) {
    for (Py_ssize_t at = 0; at < size;) {
        if (!is_old && is_narrow(row + at, &self->alone)) {
            Py_ssize_t narrow = narrow_bytes(&self->alone);
            if (narrow > size - at) return -1;
            if (kind == POINTS) {
                char *to = self->plain.at + self->plain.size; /* there is room: see `load` */
                if (!grow(self, n + 1)) return -1;
                widen(row + at, &self->alone, to);
                self->plain.size += self->point;
                self->record[n++] = (record){time_of(to), to, 0};
            }
            at += narrow;
            continue;
        }
        if (self->alone.words && (row[at] & KIND_MASK) == EVENT) {
            Py_ssize_t end = at;
            while (end < size && (row[end] & KIND_MASK) == EVENT) end += self->point;
            if (end > size) return -1;
            if (kind == POINTS) {
                if (!grow(self, n + (end - at) / self->point)) return -1;
                for (const char *each = row + at; each < row + end; each += self->point)
                    self->record[n++] = (record){time_of(each), each, 0};
            }
            at = end;
            continue;
        }
        if (size - at < 8) return -1;
        uint64_t header = (uint64_t)word_at(row + at, 0).i;
        int is = header & 0xFF;
        Py_ssize_t pad = header >> 8 & 0xFF, count = header >> 16 & 0xFFFF, length = header >> 32;
        Py_ssize_t each = is == TILES ? self->tile : self->point, body = length - pad;
        if ((is != TILES && (is != POINTS || self->alone.words)) || !count || length > size - at - 8) return -1;
        if (body < count * each || (body > count * each && !self->has_heap)) return -1;
        self->has_tiles |= is == TILES;
        if (is == kind) {
            if (!grow(self, n + count)) return -1;
            const char *each_at = row + at + 8;
            for (Py_ssize_t i = 0; i < count; i++, each_at += each)
                self->record[n++] = (record){word_at(each_at, is == TILES).i, each_at, is == TILES};
        }
        at += 8 + length;
    }
    return n;
}

/* Find the records of a row in order of time, events before tiles where they tie. */
static Py_ssize_t load(Cutter *self, const char *row, Py_ssize_t size) {
    const char *old = row;
    Py_ssize_t n = 0, old_size, others;
    if (!unpack(row, size, &self->plain, &old, &old_size, &others)) return -1;
    if (self->alone.words > 1) { /* narrow events are made wide there, half as long before; it must not move */
        if (!make_room(&self->plain, 2 * (size - others))) return -1;
        if (old_size && old != row + 8) old = self->plain.at;
    }
    self->has_tiles = 0;
    for (int kind = POINTS; n >= 0 && (kind == POINTS || (kind == TILES && self->has_tiles)); kind++) {
        n = records_of(self, old, old_size, kind, 1, n);
        if (n >= 0) n = records_of(self, row + others, size - others, kind, 0, n);
    }
    for (Py_ssize_t i = 1; i < n; i++)
        if (self->record[i].last < self->record[i - 1].last) {
            sort(self, n);
            break;
        }
    return n;
}

/* How many records happened until then. */
static Py_ssize_t until(const Cutter *self, Py_ssize_t n, int64_t moment) {
    Py_ssize_t low = 0, high = n;
    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        if (self->record[middle].last <= moment) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void cut(const window *of, int64_t now, int64_t *start, int64_t *end) {
    *end = now - of->offset;
    if (of->span == COMPLETE) *end = *end - floor_mod(*end, of->width) - 1;
    if (of->span == TUMBLING) *start = *end - floor_mod(*end, of->width) - 1;
    else *start = *end - of->width;
}

/* ---- merges --------------------------------------------------------------------------------- */

static inline int is_missing(word w, int64_t floats) {
    return floats ? isnan(w.d) : w.i == MISSING;
}

static inline int64_t count_of(const record *r, const column *c) {
    if (r->is_tile) return word_at(r->at, c->counted).i;
    return c->nullable ? !is_missing(word_at(r->at, c->point), c->floats) : 1;
}

/* A sum as a float, infinite where whole numbers left 64 bits. */
static double number_of(word sum, int64_t floats) {
    if (floats) return sum.d;
    return sum.i == MISSING ? INFINITY : (double)sum.i;
}

static double sum_of(const record *r, const column *c, int64_t tile) {
    word w = word_at(r->at, r->is_tile ? tile : c->point);
    if (!r->is_tile && is_missing(w, c->floats)) return 0.0;
    return number_of(w, c->floats);
}

static word counted(const record *r, const record *end, const column *c) {
    int64_t total = 0;
    for (; r < end; r++) total += count_of(r, c);
    return (word){.i = total};
}

static word events(const record *r, const record *end, const column *c) {
    int64_t total = 0;
    for (; r < end; r++) total += r->is_tile ? word_at(r->at, c->tile).i : 1;
    return (word){.i = total};
}

static word summed(const record *r, const record *end, const column *c) {
    double total = 0.0;
    int64_t high = 0, low = 0; /* halves of whole numbers */
    for (; r < end; r++) {
        word w = word_at(r->at, r->is_tile ? c->tile : c->point);
        if (is_missing(w, c->floats)) {
            if (r->is_tile && !c->floats) return (word){.i = MISSING};
            continue;
        }
        if (c->floats) total += w.d;
        else high += w.i >> 32, low += w.i & UINT32_MAX;
    }
    if (c->floats) return (word){.d = isnan(total) ? INFINITY : total};
    high += low >> 32;
    if (high < INT32_MIN || high > INT32_MAX) return (word){.i = MISSING};
    return (word){.i = (int64_t)((uint64_t)high << 32 | (low & UINT32_MAX))};
}

static double plain(double value) { return isnan(value) ? 0.0 : value; }

static word deviated(const record *r, const record *end, const column *c, const word *merged) {
    word sum = merged[c->summed_by];
    int64_t counts = merged[c->counted_by].i;
    double mean = number_of(sum, c->floats) / (double)(counts > 1 ? counts : 1);
    double within = 0.0, between = 0.0, drift = 0.0, total = 0.0;
    for (; r < end; r++) {
        double n = (double)count_of(r, c);
        double apart = n == 0 ? 0.0 : sum_of(r, c, c->also) / (n > 1 ? n : 1) - mean;
        within += r->is_tile ? plain(word_at(r->at, c->tile).d) : 0.0;
        between += plain(n * apart * apart);
        drift += plain(n * apart);
        total += n;
    }
    double whole = within + between - drift * drift / (total > 1 ? total : 1);
    double deviation = whole > 0.0 || isnan(whole) ? whole : 0.0;
    return (word){.d = isfinite(mean) && isfinite(deviation) ? deviation : INFINITY};
}

static inline int is_less(word a, word b, int64_t floats) {
    return floats ? a.d < b.d : a.i < b.i;
}

static word nothing(int64_t floats) {
    return floats ? (word){.d = NAN} : (word){.i = MISSING};
}

/* The smallest or the largest value; of those at the first or last instant only, where `edge`. */
static word extreme(const record *r, const record *end, const column *c, int largest, int edge) {
    word best = nothing(c->floats);
    int64_t instant = MISSING;
    for (; r < end; r++) {
        word w = word_at(r->at, r->is_tile ? c->tile : c->point);
        int is_better = !is_missing(w, c->floats);
        if (edge) {
            int64_t at = r->is_tile ? word_at(r->at, c->also).i : r->last;
            if (!is_better || at == MISSING) continue;
            if (instant != MISSING && at != instant && (largest ? at < instant : at > instant)) continue;
            if (at != instant) best = nothing(c->floats);
            instant = at;
        }
        if (!is_better) continue;
        if (is_missing(best, c->floats) || (largest ? is_less(best, w, c->floats) : is_less(w, best, c->floats)))
            best = w;
    }
    return best;
}

static void merge(const Cutter *self, const record *r, const record *end, word *merged) {
    for (Py_ssize_t i = 0; i < self->columns; i++) {
        const column *c = &self->column[i];
        switch (c->merge) {
            case EVENTS: merged[i] = events(r, end, c); break;
            case COUNTING: merged[i] = counted(r, end, c); break;
            case SUMMING: merged[i] = summed(r, end, c); break;
            case DEVIATION: merged[i] = deviated(r, end, c, merged); break;
            case SMALLEST: merged[i] = extreme(r, end, c, 0, 0); break;
            case LARGEST: merged[i] = extreme(r, end, c, 1, 0); break;
            case FIRST: merged[i] = extreme(r, end, c, 0, 1); break;
            case LAST: merged[i] = extreme(r, end, c, 1, 1); break;
        }
    }
}

/* Find and merge what is in each window; windows of the same records are merged once. */
static int answer(Cutter *self, const char *row, Py_ssize_t size, int64_t now) {
    Py_ssize_t n = row ? load(self, row, size) : 0;
    if (n < 0) return 0;
    for (Py_ssize_t w = 0; w < self->windows; w++) {
        int64_t start, end, *bound = &self->bound[2 * w];
        cut(&self->window[w], now, &start, &end);
        bound[0] = until(self, n, start);
        bound[1] = until(self, n, end);
        word *merged = self->merged + w * self->columns;
        if (bound[0] >= bound[1]) {
            bound[1] = bound[0];
            continue;
        }
        Py_ssize_t same = 0;
        while (same < w && memcmp(bound, &self->bound[2 * same], 16)) same++;
        if (same < w) memcpy(merged, self->merged + same * self->columns, 8 * self->columns);
        else merge(self, self->record + bound[0], self->record + bound[1], merged);
    }
    return 1;
}

/* ---- results -------------------------------------------------------------------------------- */

static double quotient(double value, int64_t by) {
    double result = by > 0 ? value / (double)by : NAN;
    return isfinite(result) ? result : NAN;
}

static inline int gives_float(const output *o) {
    return o->value == NUMBER || o->value >= FLOAT_TOTAL;
}

static word result(const Cutter *self, const output *o) {
    const int64_t *bound = &self->bound[2 * o->window];
    if (bound[0] == bound[1]) return o->value == COUNT ? (word){.i = 0} : nothing(gives_float(o));
    const word *merged = self->merged + o->window * self->columns;
    word of = merged[o->column];
    int64_t count = merged[o->counted_by].i;
    double number = number_of(of, self->column[o->column].floats);
    switch (o->value) {
        case TOTAL: return (word){.i = count ? of.i : MISSING};
        case FLOAT_TOTAL: return (word){.d = count && isfinite(of.d) ? of.d : NAN};
        case MEAN: return (word){.d = quotient(number, count)};
        case SPREAD: return (word){.d = sqrt(quotient(of.d, count))};
        default: return of;
    }
}

static PyObject *python_of(const Cutter *self, const output *o) {
    word of = result(self, o);
    if (is_missing(of, gives_float(o))) Py_RETURN_NONE;
    if (gives_float(o)) return PyFloat_FromDouble(of.d);
    return o->value == TRUTH ? PyBool_FromLong(of.i != 0) : PyLong_FromLongLong(of.i);
}

static int64_t newest(const Cutter *self, Py_ssize_t w) {
    const int64_t *bound = &self->bound[2 * w];
    return bound[0] == bound[1] ? MISSING : self->record[bound[1] - 1].last;
}

/* ---- the type ------------------------------------------------------------------------------- */

/* Copy a table of 64-bit numbers; its rows are structs of them. */
static int table(PyObject *given, size_t each, void **into, Py_ssize_t *rows) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(given, &bytes, &size) < 0) return 0;
    *rows = size / (Py_ssize_t)each;
    *into = PyMem_Malloc(size ? size : 1);
    if (!*into) return PyErr_NoMemory(), 0;
    memcpy(*into, bytes, size);
    return 1;
}

static int fits(const Cutter *self) {
    for (Py_ssize_t i = 0; i < self->columns; i++) {
        const column *c = &self->column[i];
        int64_t places[] = {c->tile, c->also, c->counted};
        if (c->point < 0 || c->point >= self->point / 8 || c->summed_by > i || c->counted_by > i) return 0;
        for (int j = 0; j < 3; j++)
            if (places[j] < 0 || places[j] >= self->tile / 8) return 0;
    }
    for (Py_ssize_t i = 0; i < self->outputs; i++) {
        const output *o = &self->output[i];
        if (o->window < 0 || o->window >= self->windows || o->column < 0 || o->counted_by < 0) return 0;
        if (o->column >= self->columns || o->counted_by >= self->columns) return 0;
    }
    return 1;
}

static PyObject *cutter_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(named)) {
    Py_ssize_t point, tile;
    int has_heap;
    PyObject *floats, *windows, *columns, *outputs;
    if (!PyArg_ParseTuple(args, "nnSpSSS", &point, &tile, &floats, &has_heap, &windows, &columns, &outputs))
        return NULL;
    Cutter *self = (Cutter *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->point = 8 * point;
    self->tile = 8 * tile;
    self->floats = Py_NewRef(floats);
    self->alone = (events_alone){PyBytes_GET_SIZE(floats), PyBytes_AS_STRING(floats)};
    self->has_heap = has_heap;
    if (!table(windows, sizeof(window), (void **)&self->window, &self->windows) ||
        !table(columns, sizeof(column), (void **)&self->column, &self->columns) ||
        !table(outputs, sizeof(output), (void **)&self->output, &self->outputs))
        return Py_DECREF(self), NULL;
    self->merged = PyMem_Calloc(self->windows * self->columns + 1, sizeof(word));
    self->bound = PyMem_Calloc(2 * self->windows + 1, sizeof(int64_t));
    if (!self->merged || !self->bound) return Py_DECREF(self), PyErr_NoMemory();
    if (fits(self) && (!self->alone.words || self->alone.words == point)) return (PyObject *)self;
    PyErr_SetString(PyExc_ValueError, "a place is outside of its record");
    return Py_DECREF(self), NULL;
}

static void cutter_free(Cutter *self) {
    void *owned[] = {self->window, self->column, self->output, self->merged,
                     self->bound,  self->record, self->spare,  self->plain.at};
    for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++) PyMem_Free(owned[i]);
    Py_XDECREF(self->floats);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Answer for a row, which is bytes or None; 0 where it is not made of frames. */
static int answer_for(Cutter *self, PyObject *row, int64_t now) {
    if (row == Py_None) return answer(self, NULL, 0, now);
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(row, &bytes, &size) < 0) return 0;
    return answer(self, bytes, size, now);
}

static PyObject *cutter_read(Cutter *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2) return PyErr_SetString(PyExc_TypeError, "read takes a row and a moment"), NULL;
    int64_t now = PyLong_AsLongLong(args[1]);
    if (now == -1 && PyErr_Occurred()) return NULL;
    if (!answer_for(self, args[0], now)) {
        if (PyErr_Occurred()) return NULL;
        Py_RETURN_NONE;
    }
    PyObject *values = PyList_New(self->outputs), *times = PyList_New(self->outputs);
    PyObject *newest_of = PyTuple_New(self->windows); /* outputs of a window share its time */
    for (Py_ssize_t w = 0; newest_of && w < self->windows; w++) {
        int64_t at = newest(self, w);
        PyObject *time = at == MISSING ? Py_NewRef(Py_None) : PyLong_FromLongLong(at);
        PyTuple_SET_ITEM(newest_of, w, time);
        if (!time) Py_CLEAR(newest_of);
    }
    if (!newest_of) Py_CLEAR(values);
    for (Py_ssize_t i = 0; values && times && i < self->outputs; i++) {
        PyObject *value = python_of(self, &self->output[i]);
        PyList_SET_ITEM(values, i, value);
        PyList_SET_ITEM(times, i, Py_NewRef(PyTuple_GET_ITEM(newest_of, self->output[i].window)));
        if (!value) Py_CLEAR(values);
    }
    Py_XDECREF(newest_of);
    PyObject *both = values && times ? PyTuple_Pack(2, values, times) : NULL;
    Py_XDECREF(values);
    Py_XDECREF(times);
    return both;
}

static PyObject *cutter_read_many(Cutter *self, PyObject *const *args, Py_ssize_t count) {
    Py_buffer moments;
    if (count != 2 || !PyList_Check(args[0]))
        return PyErr_SetString(PyExc_TypeError, "read_many takes a list of rows and moments"), NULL;
    if (PyObject_GetBuffer(args[1], &moments, PyBUF_C_CONTIGUOUS) < 0) return NULL;
    Py_ssize_t rows = PyList_GET_SIZE(args[0]), whole = rows * 8 * (self->outputs + self->windows);
    PyObject *found = moments.len == 8 * rows ? PyBytes_FromStringAndSize(NULL, whole) : NULL;
    if (!found && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "a moment for each row");
    int well = found != NULL;
    word *words = found ? (word *)PyBytes_AS_STRING(found) : NULL;
    for (Py_ssize_t row = 0; well && row < rows; row++) {
        well = answer_for(self, PyList_GET_ITEM(args[0], row), ((const int64_t *)moments.buf)[row]);
        for (Py_ssize_t i = 0; well && i < self->outputs; i++)
            words[i * rows + row] = result(self, &self->output[i]);
        for (Py_ssize_t w = 0; well && w < self->windows; w++)
            words[(self->outputs + w) * rows + row].i = newest(self, w);
    }
    PyBuffer_Release(&moments);
    if (well) return found;
    Py_XDECREF(found);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"read", (PyCFunction)(void (*)(void))cutter_read, METH_FASTCALL, NULL},
    {"read_many", (PyCFunction)(void (*)(void))cutter_read_many, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef functions[] = {
    {"plain", (PyCFunction)(void (*)(void))plain_row, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject cutter_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "featurestore.aggregation._cutting.Cutter",
    .tp_basicsize = sizeof(Cutter),
    .tp_dealloc = (destructor)cutter_free,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = methods,
    .tp_new = cutter_new,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_cutting", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__cutting(void) {
    PyObject *made = PyModule_Create(&module);
    if (!made || PyModule_AddType(made, &cutter_type) < 0) return NULL;
    return made;
}
