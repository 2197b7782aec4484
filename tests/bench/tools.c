/* Two helpers of the benchmarks, built on the spot by `run`:
 *
 *   tools meter FILE COMMAND...      runs COMMAND and writes to FILE: user and system seconds, wall seconds, peak KiB,
 *                                    exit code. It is small itself, because a child's peak begins at its parent's.
 *   tools floor HOSTS TIMEOUT FIRST COUNT PORT[:HEX]...
 *                                    the bare floor: one thread, one epoll, nothing kept. To each of COUNT addresses from
 *                                    FIRST on (HOSTS of them at once) the connections named, one after the other:
 *                                    connect, send HEX if given, read once if HEX was given or `:` stands, reset.
 *                                    TIMEOUT in milliseconds for a connection. Prints what came of it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int meter(char **argv) {
    double began = now();
    pid_t child = fork();
    if (child < 0) return 125;
    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    /* A command that does not end is ended by its group; its figures are wanted all the same. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    struct rusage used;
    int status = 0;
    while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {}
    FILE *out = fopen(argv[0], "w");
    if (!out) return 125;
    fprintf(out, "%.6f %.6f %.3f %ld %d\n", (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6,
            (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6, now() - began, used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fclose(out);
    return 0;
}

enum { MOST_STEPS = 16, MOST_HELLO = 4096 };

struct step { int port, reads, size; unsigned char hello[MOST_HELLO]; };
struct slot { int fd, step; unsigned host; double until; int sent; };

static struct step steps[MOST_STEPS];
static int step_count, epoll;
static struct slot *slots;
static unsigned next_host, host_count, first, done_hosts, whole_hosts;
static unsigned long connections, answered, refused, timed_out, failed;
static double timeout;

static void advance(int place, int there);

static void open_step(int place) {
    struct slot *slot = slots + place;
    struct step *step = steps + slot->step;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)step->port)};
    to.sin_addr.s_addr = htonl(first + slot->host);
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (slot->fd < 0) { perror("socket"); exit(1); }
    struct linger reset = {1, 0};
    int once = 1;
    setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(slot->fd, IPPROTO_TCP, TCP_SYNCNT, &once, sizeof once);
    slot->sent = 0;
    slot->until = now() + timeout;
    connections++;
    if (connect(slot->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS) {
        struct epoll_event want = {.events = EPOLLOUT | EPOLLIN | EPOLLET, .data.u32 = (unsigned)place};
        epoll_ctl(epoll, EPOLL_CTL_ADD, slot->fd, &want);
        return;
    }
    failed++;
    advance(place, 0);
}

/* The slot's next connection, or its next host. `there` is false when nobody is: the host's further steps are left out. */
static void advance(int place, int there) {
    struct slot *slot = slots + place;
    if (slot->fd >= 0) close(slot->fd);
    slot->fd = -1;
    if (there && ++slot->step < step_count) {
        open_step(place);
        return;
    }
    done_hosts++;
    whole_hosts += (unsigned)there;
    if (next_host >= host_count) return;
    slot->host = next_host++;
    slot->step = 0;
    open_step(place);
}

static void event(int place, unsigned what) {
    struct slot *slot = slots + place;
    struct step *step = steps + slot->step;
    if (slot->fd < 0) return;
    if (!slot->sent) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            if (error == ECONNREFUSED) refused++; else failed++;
            advance(place, 0);
            return;
        }
        if (!(what & EPOLLOUT)) return;
        if (step->size && send(slot->fd, step->hello, (size_t)step->size, MSG_NOSIGNAL) != step->size) {
            failed++;
            advance(place, 0);
            return;
        }
        slot->sent = 1;
        if (!step->reads) {
            answered++;
            advance(place, 1);
            return;
        }
    }
    static char buffer[16384];
    ssize_t got = recv(slot->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got >= 0) answered++; else failed++;
    advance(place, 1);
}

static int floor_run(int argc, char **argv) {
    unsigned places = (unsigned)atoi(argv[0]);
    timeout = atof(argv[1]) / 1000;
    struct in_addr address;
    if (!inet_aton(argv[2], &address)) return 2;
    first = ntohl(address.s_addr);
    host_count = (unsigned)atoi(argv[3]);
    for (int i = 4; i < argc && step_count < MOST_STEPS; i++) {
        struct step *step = steps + step_count++;
        char *hex = strchr(argv[i], ':');
        step->port = atoi(argv[i]);
        step->reads = hex != NULL;
        for (hex = hex ? hex + 1 : ""; hex[0] && hex[1] && step->size < MOST_HELLO; hex += 2) {
            unsigned byte;
            if (sscanf(hex, "%2x", &byte) != 1) return 2;
            step->hello[step->size++] = (unsigned char)byte;
        }
    }
    struct rlimit open_files;
    getrlimit(RLIMIT_NOFILE, &open_files);
    open_files.rlim_cur = open_files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &open_files);
    if (places > open_files.rlim_cur - 16) places = (unsigned)open_files.rlim_cur - 16;
    if (places > host_count) places = host_count;
    slots = calloc(places, sizeof *slots);
    epoll = epoll_create1(0);
    for (unsigned i = 0; i < places; i++) {
        slots[i].host = next_host++;
        open_step((int)i);
    }
    static struct epoll_event events[512];
    double swept = now();
    while (done_hosts < host_count) {
        int count = epoll_wait(epoll, events, 512, 50);
        for (int i = 0; i < count; i++) event((int)events[i].data.u32, events[i].events);
        double at = now();
        if (at - swept < 0.05) continue;
        swept = at;
        for (unsigned i = 0; i < places; i++)
            if (slots[i].fd >= 0 && slots[i].until < at) { timed_out++; advance((int)i, 0); }
    }
    printf("hosts %u whole %u connections %lu answered %lu refused %lu timed_out %lu failed %lu\n", host_count, whole_hosts,
           connections, answered, refused, timed_out, failed);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "meter")) return meter(argv + 2);
    if (argc > 6 && !strcmp(argv[1], "floor")) return floor_run(argc - 2, argv + 2);
    fputs("usage: tools meter FILE COMMAND... | tools floor HOSTS TIMEOUT_MS FIRST COUNT PORT[:HEX]...\n", stderr);
    return 2;
}
