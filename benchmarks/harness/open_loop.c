/* Requests over HTTP/1.1, each at its own moment, whether or not others are answered.
 *
 *     open_loop PORT CONNECTIONS < plan > took
 *
 * The plan, in 64-bit words but for the requests themselves: how many requests there are; for each
 * its length and its bytes; then, to the end, when one is due, in ns after the start, rising.
 * Requests are sent over and over in their order. One that is due while all connections wait for
 * answers waits for the first that is free. What comes out is, for each in the order of answers,
 * how many ns after it was due it was answered.
 *
 * Ends with 1 and a message where an answer is not 200, or none comes for 30 s.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define PATIENCE (30 * SECOND)

typedef struct {
    int64_t size;
    char *bytes;
} request;

typedef struct {
    int socket;
    int64_t due, left; /* when its request was due; bytes of the answer still to come, -1: the head */
} connection;

static char answer[1 << 18];

static void fail(const char *what, const char *more) {
    fprintf(stderr, "%s: %s\n", what, more);
    exit(1);
}

static void *room(size_t bytes) {
    void *made = malloc(bytes + 1);
    if (!made) fail("no memory", strerror(errno));
    return made;
}

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * SECOND + at.tv_nsec;
}

static int64_t word(void) {
    int64_t value;
    if (fread(&value, 8, 1, stdin) != 1) fail("the plan", "ends early");
    return value;
}

static request *requests(int64_t count) {
    request *all = room(count * sizeof(request));
    for (request *one = all; one < all + count; one++) {
        one->size = word();
        one->bytes = room(one->size);
        if (fread(one->bytes, 1, one->size, stdin) != (size_t)one->size) fail("the plan", "ends early");
    }
    return all;
}

static int64_t *moments(int64_t *count) {
    int64_t *all = NULL, kept = 0;
    for (*count = 0;; (*count)++) {
        if (*count == kept && !(all = realloc(all, 8 * (kept = 2 * kept + 1024)))) fail("no memory", "");
        if (fread(&all[*count], 8, 1, stdin) != 1) return all;
    }
}

static int connected(int port) {
    int one = 1, found = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(found, (struct sockaddr *)&to, sizeof(to)) < 0) fail("no connection", strerror(errno));
    setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return found;
}

/* Return how many bytes follow what has come of an answer. */
static int64_t behind_head(ssize_t size) {
    answer[size] = 0;
    char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "\r\ncontent-length:");
    if (strncmp(answer, "HTTP/1.1 200", 12)) fail("not answered with 200", answer);
    if (!end || !length || length > end) fail("an answer with half a head", answer);
    return end + 4 - answer + atoll(length + 17) - size;
}

/* Take what came; tell whether the answer is whole. */
static int taken(connection *of) {
    ssize_t size = read(of->socket, answer, sizeof(answer) - 1);
    if (size <= 0) fail("a connection broke", size ? strerror(errno) : "closed by the server");
    of->left = of->left < 0 ? behind_head(size) : of->left - size;
    if (of->left < 0) fail("an answer", "is longer than it says");
    return !of->left;
}

int main(int count, char **words) {
    if (count != 3) fail("usage", "open_loop PORT CONNECTIONS < plan > took");
    int port = atoi(words[1]), connections = atoi(words[2]), idle = connections, loop = epoll_create1(0);
    int64_t kinds = word(), planned, sent = 0, answered = 0;
    request *all = requests(kinds);
    int64_t *due = moments(&planned), *took = room(8 * planned);
    connection *made = room(connections * sizeof(connection)), **free_ones = room(connections * 8);
    struct epoll_event *events = room(connections * sizeof(struct epoll_event));
    for (int i = 0; i < connections; i++) {
        made[i].socket = connected(port);
        free_ones[i] = &made[i];
        struct epoll_event of = {.events = EPOLLIN, .data.ptr = &made[i]};
        epoll_ctl(loop, EPOLL_CTL_ADD, made[i].socket, &of);
    }
    prctl(PR_SET_TIMERSLACK, 1); /* else the kernel wakes us up to 50 us late */
    int64_t start = now();
    while (answered < planned) {
        for (; idle && sent < planned && start + due[sent] <= now(); sent++) {
            connection *by = free_ones[--idle];
            request *one = &all[sent % kinds];
            by->due = start + due[sent];
            by->left = -1;
            if (write(by->socket, one->bytes, one->size) != one->size) fail("not sent", strerror(errno));
        }
        int64_t wait = idle && sent < planned ? start + due[sent] - now() : PATIENCE;
        struct timespec until = {wait > 0 ? wait / SECOND : 0, wait > 0 ? wait % SECOND : 0};
        int ready = epoll_pwait2(loop, events, connections, &until, NULL);
        if (!ready && wait == PATIENCE) fail("no answer", "for 30 s");
        for (int i = 0; i < ready; i++) {
            connection *of = events[i].data.ptr;
            if (!taken(of)) continue;
            took[answered++] = now() - of->due;
            free_ones[idle++] = of;
        }
    }
    return fwrite(took, 8, planned, stdout) != (size_t)planned;
}
