// Writes down every call by which the process that has this preloaded changes files whose path begins with RECORD_PREFIX:
// one record for each call, with its bytes, at the end of the file RECORD_LOG. Several processes may share it. A call's
// record follows it at once and no other call of the process comes between, so the log's order is the order of the calls;
// only a sync has two records, where it began and where it had succeeded. Syncs take RECORD_SYNC_DELAY microseconds
// more, as on a slow disk, so that whoever looks from outside sees what happens before a sync is done.
//
// What is not seen (mkstemp, calls inside of the C library, io_uring) is noticed by disks.py, which compares the files.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// disks.py reads this.
struct record {
  uint32_t length;  // of all that follows the header
  uint8_t kind;
  uint8_t flag;
  uint16_t first;  // bytes of the first name; the second is what follows it, or data
  uint32_t process;
  uint32_t mode;
  uint64_t file;  // its inode
  uint64_t offset;
};

enum { MOST_FILES = 1 << 16 };
static uint64_t watched[MOST_FILES];  // inodes by descriptor; 0 for what is not looked at
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static const char *prefix;
static int output = -1;
static long delay;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("RECORD_LOG");
  const char *wait = getenv("RECORD_SYNC_DELAY");
  prefix = getenv("RECORD_PREFIX");
  delay = wait ? atol(wait) : 0;
  if (path && prefix) output = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

// Real functions, by name.
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void put(struct record head, const char *name, const struct iovec *data, int count, uint64_t size) {
  struct iovec parts[2 + 64];
  if (count > 64) abort();
  head.first = (uint16_t)(name ? strlen(name) : 0);
  head.length = head.first + (uint32_t)size;
  head.process = (uint32_t)getpid();
  parts[0] = (struct iovec){&head, sizeof head};
  parts[1] = (struct iovec){(void *)name, head.first};
  int used = 2;
  for (int i = 0; i < count && size > 0; i++) {
    uint64_t part = data[i].iov_len < size ? data[i].iov_len : size;
    parts[used++] = (struct iovec){data[i].iov_base, part};
    size -= part;
  }
  int saved = errno;
  long written = syscall(SYS_writev, output, parts, used);
  if (written != (long)(sizeof head + head.length)) abort();  // a log with a hole would prove nothing
  errno = saved;
}

// The path as from the root; 0 where it is not looked at.
static int full(int folder, const char *path, char *result) {
  if (output < 0) return 0;
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    char link[64];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t size = readlink(link, base, sizeof base - 2);
    if (size < 0) return 0;
    base[size] = '/';
    base[size + 1] = 0;
  }
  if (snprintf(result, PATH_MAX, "%s%s", base, path) >= PATH_MAX) return 0;
  return strncmp(result, prefix, strlen(prefix)) == 0;
}

static uint64_t inode(int file) {
  return output >= 0 && file >= 0 && file < MOST_FILES ? watched[file] : 0;
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
  char name[PATH_MAX];
  if (!full(folder, path, name)) {
    int file = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (file >= 0 && file < MOST_FILES) watched[file] = 0;
    return file;
  }
  pthread_mutex_lock(&order);
  struct stat status;
  int was_there = lstat(name, &status) == 0;
  int file = (int)syscall(SYS_openat, folder, path, flags, mode);
  if (file >= MOST_FILES) abort();
  if (file >= 0 && fstat(file, &status) == 0) {
    watched[file] = status.st_ino;
    uint8_t flag = (uint8_t)((was_there ? 0 : 1) | (was_there && flags & O_TRUNC ? 2 : 0));
    put((struct record){.kind = 'O', .flag = flag, .mode = status.st_mode, .file = status.st_ino}, name, NULL, 0, 0);
  }
  pthread_mutex_unlock(&order);
  return file;
}

#define OPEN(name, large)                                                                  \
  int name(const char *path, int flags, ...) {                                             \
    va_list more;                                                                          \
    va_start(more, flags);                                                                 \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;              \
    va_end(more);                                                                          \
    return opened(AT_FDCWD, path, flags | (large), mode);                                  \
  }
#define OPENAT(name, large)                                                                \
  int name(int folder, const char *path, int flags, ...) {                                 \
    va_list more;                                                                          \
    va_start(more, flags);                                                                 \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;              \
    va_end(more);                                                                          \
    return opened(folder, path, flags | (large), mode);                                    \
  }
OPEN(open, 0)
OPEN(open64, O_LARGEFILE)
OPENAT(openat, 0)
OPENAT(openat64, O_LARGEFILE)
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

int close(int file) {
  if (file >= 0 && file < MOST_FILES) watched[file] = 0;
  return (int)syscall(SYS_close, file);
}

static int copied(int from, int to) {
  if (inode(from) && to >= 0 && to < MOST_FILES) watched[to] = watched[from];
  return to;
}
int dup(int file) { return copied(file, (int)syscall(SYS_dup, file)); }

// Bytes at an offset; -1 is where the descriptor stands.
static ssize_t wrote(int file, const struct iovec *parts, int count, off_t offset) {
  uint64_t number = inode(file);
  if (!number) {
    return offset < 0 ? syscall(SYS_writev, file, parts, count) : syscall(SYS_pwritev, file, parts, count, offset, 0);
  }
  pthread_mutex_lock(&order);
  ssize_t done = offset < 0 ? syscall(SYS_writev, file, parts, count) : syscall(SYS_pwritev, file, parts, count, offset, 0);
  if (done > 0) {
    uint64_t at = (uint64_t)(offset < 0 ? lseek(file, 0, SEEK_CUR) - done : offset);
    put((struct record){.kind = 'W', .file = number, .offset = at}, NULL, parts, count, (uint64_t)done);
  }
  pthread_mutex_unlock(&order);
  return done;
}

#define ONE(bytes, count) (&(struct iovec){(void *)(bytes), (count)}), 1
ssize_t write(int file, const void *bytes, size_t count) {
  return inode(file) ? wrote(file, ONE(bytes, count), -1) : syscall(SYS_write, file, bytes, count);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) { return wrote(file, ONE(bytes, count), offset); }
ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) { return wrote(file, ONE(bytes, count), offset); }
ssize_t writev(int file, const struct iovec *parts, int count) { return wrote(file, parts, count, -1); }
ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) { return wrote(file, parts, count, offset); }
ssize_t pwritev64(int file, const struct iovec *parts, int count, off_t offset) {
  return wrote(file, parts, count, offset);
}

static int resized(int file, off_t size) {
  pthread_mutex_lock(&order);
  int result = (int)syscall(SYS_ftruncate, file, size);
  if (result == 0 && inode(file)) {
    put((struct record){.kind = 'T', .file = inode(file), .offset = (uint64_t)size}, NULL, NULL, 0, 0);
  }
  pthread_mutex_unlock(&order);
  return result;
}
int ftruncate(int file, off_t size) { return resized(file, size); }
int ftruncate64(int file, off_t size) { return resized(file, size); }

// Only grows a file, here: as a write of nothing at the end would.
static int reserved(int file, off_t offset, off_t size) {
  struct stat status;
  pthread_mutex_lock(&order);
  int result = (int)syscall(SYS_fallocate, file, 0, offset, size);
  if (result == 0 && inode(file) && fstat(file, &status) == 0) {
    put((struct record){.kind = 'T', .file = inode(file), .offset = (uint64_t)status.st_size}, NULL, NULL, 0, 0);
  }
  pthread_mutex_unlock(&order);
  return result;
}
int posix_fallocate(int file, off_t offset, off_t size) { return reserved(file, offset, size) == 0 ? 0 : errno; }
int posix_fallocate64(int file, off_t offset, off_t size) { return posix_fallocate(file, offset, size); }
int fallocate(int file, int mode, off_t offset, off_t size) {
  if (mode && inode(file)) abort();
  return mode ? (int)syscall(SYS_fallocate, file, mode, offset, size) : reserved(file, offset, size);
}

static int synced(int file, long number) {
  uint64_t which = inode(file);
  if (!which) return (int)syscall(number, file);
  static uint64_t count;
  pthread_mutex_lock(&order);
  uint64_t mine = ++count;
  put((struct record){.kind = 'B', .file = which, .offset = mine}, NULL, NULL, 0, 0);
  pthread_mutex_unlock(&order);
  if (delay) nanosleep(&(struct timespec){delay / 1000000, delay % 1000000 * 1000}, NULL);
  int result = (int)syscall(number, file);
  pthread_mutex_lock(&order);
  if (result == 0) put((struct record){.kind = 'S', .file = which, .offset = mine}, NULL, NULL, 0, 0);
  pthread_mutex_unlock(&order);
  return result;
}
int fsync(int file) { return synced(file, SYS_fsync); }
int fdatasync(int file) { return synced(file, SYS_fdatasync); }

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  if (inode(file) && protection & PROT_WRITE && flags & MAP_SHARED) {
    pthread_mutex_lock(&order);
    put((struct record){.kind = 'M', .file = inode(file)}, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&order);
  }
  return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}
void *mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset) {
  return mmap(at, size, protection, flags, file, offset);
}

// Calls that change names.
static int named(uint8_t kind, int result, const char *first, const char *second) {
  struct stat status = {0};
  if (result == 0) {
    lstat(second ? second : first, &status);
    put((struct record){.kind = kind, .mode = status.st_mode, .file = status.st_ino}, first,
        &(struct iovec){(void *)second, second ? strlen(second) : 0}, 1, second ? strlen(second) : 0);
  }
  return result;
}
#define NAMES(kind, folder, path, call)                   \
  char name[PATH_MAX];                                    \
  if (!full(folder, path, name)) return (int)(call);      \
  pthread_mutex_lock(&order);                             \
  int result = named(kind, (int)(call), name, NULL);      \
  pthread_mutex_unlock(&order);                           \
  return result;
#define TWO_NAMES(kind, f1, p1, f2, p2, call)             \
  char a[PATH_MAX], b[PATH_MAX];                          \
  int from = full(f1, p1, a), to = full(f2, p2, b);       \
  if (!from && !to) return (int)(call);                   \
  pthread_mutex_lock(&order);                             \
  int result = named(kind, (int)(call), a, b);            \
  pthread_mutex_unlock(&order);                           \
  return result;

int mkdirat(int folder, const char *path, mode_t mode) {
  NAMES('D', folder, path, syscall(SYS_mkdirat, folder, path, mode))
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
int unlinkat(int folder, const char *path, int flags) {
  NAMES('U', folder, path, syscall(SYS_unlinkat, folder, path, flags))
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && errno == EISDIR ? rmdir(path) : result;
}
int renameat2(int from_folder, const char *old, int to_folder, const char *new, unsigned flags) {
  TWO_NAMES('R', from_folder, old, to_folder, new, syscall(SYS_renameat2, from_folder, old, to_folder, new, flags))
}
int renameat(int from_folder, const char *old, int to_folder, const char *new) {
  return renameat2(from_folder, old, to_folder, new, 0);
}
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from_folder, const char *old, int to_folder, const char *new, int flags) {
  TWO_NAMES('L', from_folder, old, to_folder, new, syscall(SYS_linkat, from_folder, old, to_folder, new, flags))
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

static int allowed(int file, int result, mode_t mode) {
  if (result == 0 && inode(file)) {
    pthread_mutex_lock(&order);
    put((struct record){.kind = 'C', .file = inode(file), .mode = mode}, NULL, NULL, 0, 0);
    pthread_mutex_unlock(&order);
  }
  return result;
}
int fchmod(int file, mode_t mode) { return allowed(file, (int)syscall(SYS_fchmod, file, mode), mode); }
