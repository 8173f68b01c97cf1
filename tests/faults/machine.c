/* Makes writes and syncs of a program fail when a test says so.
 *
 * A library for LD_PRELOAD (ld.so(8)). Its orders are numbers in a small file that the test writes
 * and this library maps, so that they can change while the program runs. Only regular files are
 * affected, not sockets and pipes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* `calls` is counted here. The others are orders: the number of the first call that fails (0:
 * none), how many calls fail, and the error. machine.rs has the same layout. */
struct failing { int64_t calls, first, count, error; };
struct orders { struct failing write, sync; };

static volatile struct orders none, *orders = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MACHINE_ORDERS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) orders = mapped;
    close(file);
}

/* Whether this call fails. The program has one thread. */
static int fails(int file, volatile struct failing *failing) {
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    int64_t call = ++failing->calls;
    if (failing->first == 0 || call < failing->first) return 0;
    if (call >= failing->first + failing->count) return 0;
    errno = (int)failing->error;
    return 1;
}

ssize_t write(int file, const void *bytes, size_t count) {
    return fails(file, &orders->write) ? -1 : syscall(SYS_write, file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return fails(file, &orders->write) ? -1 : syscall(SYS_pwrite64, file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return pwrite64(file, bytes, count, at);
}

int fdatasync(int file) {
    return fails(file, &orders->sync) ? -1 : (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    return fails(file, &orders->sync) ? -1 : (int)syscall(SYS_fsync, file);
}
