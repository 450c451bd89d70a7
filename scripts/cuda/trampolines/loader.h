// The body of a trampoline archive: see cuda/library.h. The generated file that includes this one defines
//
//   LIBRARY        the archive's name, as in gotrain_open_LIBRARY
//   FILES          file names of the library, the preferred one first
//   ABSENT         the status of a function that is not there
//   FUNCTIONS(F)   F(index, function, unbound) for each function, where unbound is absent or zero
#define _GNU_SOURCE
#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define TABLE JOIN(gotrain_table_, LIBRARY)

static int absent(void) { return ABSENT; }
__attribute__((unused)) static void *zero(void) { return NULL; }  // success, or no pointer

#define NAME(index, function, unbound) #function,
static const char *const names[] = {FUNCTIONS(NAME)};
enum { COUNT = sizeof names / sizeof *names };

// The table is written once, by open_once, and read by the jumps below.
#define UNBOUND(index, function, unbound) (void *)unbound,
__attribute__((visibility("hidden"), used)) void *TABLE[COUNT] = {FUNCTIONS(UNBOUND)};

// A jump leaves registers and stack as the caller made them, so it serves every signature.
#if defined(__x86_64__)
#define JUMP_CODE(index) "  jmp *" TEXT(TABLE) "+8*" #index "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP_CODE(index) \
  "  adrp x16, " TEXT(TABLE) "+8*" #index "\n  ldr x16, [x16, :lo12:" TEXT(TABLE) "+8*" #index "]\n  br x16\n"
#else
#error "trampolines are written for x86-64 and arm64"
#endif
#define JUMP(index, function, unbound)                                                   \
  __asm__(".text\n.p2align 4\n.globl " #function "\n.type " #function ", %function\n"    \
          #function ":\n" JUMP_CODE(index) ".size " #function ", .-" #function "\n");
FUNCTIONS(JUMP)

static struct gotrain_library library = {.name = TEXT(LIBRARY), .wanted = COUNT};
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Folders to search, as a pattern: %s is each of the folders in the environment variable, which colons separate.
static const struct place {
  const char *variable, *pattern;
} places[] = {
  {NULL, "/usr/local/nvidia/lib64"},  // where container runtimes mount the driver
  {NULL, "/usr/local/cuda/lib64"},
  {"VIRTUAL_ENV", "%s/lib/python3*/site-packages/nvidia/*/lib"},
  {"CONDA_PREFIX", "%s/lib/python3*/site-packages/nvidia/*/lib"},
  {"CONDA_PREFIX", "%s/lib"},
  {NULL, ".venv/lib/python3*/site-packages/nvidia/*/lib"},
  {"PATH", "%s/../lib/python3*/site-packages/nvidia/*/lib"},
  {"HOME", "%s/.local/lib/python3*/site-packages/nvidia/*/lib"},
  {NULL, "/usr/lib/python3*/dist-packages/nvidia/*/lib"},
  {NULL, "/usr/local/lib/python3*/dist-packages/nvidia/*/lib"},
};

// open_matching opens a file of that name in a folder of the pattern, or returns NULL. Of several matches, such as
// versions of Python, the last in the order of names is tried first.
static void *open_matching(const char *pattern, const char *file) {
  char path[8192];
  snprintf(path, sizeof path, "%s/%s", pattern, file);
  glob_t found;
  void *handle = NULL;
  if (glob(path, 0, NULL, &found) == 0) {
    for (size_t i = found.gl_pathc; i-- > 0 && handle == NULL;) handle = dlopen(found.gl_pathv[i], RTLD_NOW);
  }
  globfree(&found);
  return handle;
}

static void *open_in(const struct place *place, const char *file) {
  if (place->variable == NULL) return open_matching(place->pattern, file);
  const char *folders = getenv(place->variable);
  while (folders && *folders) {
    int length = strcspn(folders, ":");
    char folder[4096], pattern[8192];
    if (length > 0 && length < (int)sizeof folder) {
      snprintf(folder, sizeof folder, "%.*s", length, folders);
      snprintf(pattern, sizeof pattern, place->pattern, folder);
      void *handle = open_matching(pattern, file);
      if (handle) return handle;
    }
    folders += length + (folders[length] == ':');
  }
  return NULL;
}

static void *open_anywhere(void) {
  static const char *const files[] = {FILES};
  const size_t count = sizeof files / sizeof *files;
  for (size_t i = 0; i < count; i++) {
    void *handle = dlopen(files[i], RTLD_NOW);
    if (handle) return handle;
    if (i == 0) snprintf(library.error, sizeof library.error, "%s", dlerror());
  }
  for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
    for (size_t i = 0; i < count; i++) {
      void *handle = open_in(&places[p], files[i]);
      if (handle) return handle;
    }
  }
  return NULL;
}

static void open_once(void) {
  void *handle = open_anywhere();
  if (handle == NULL) return;
  library.error[0] = 0;
  struct link_map *map = NULL;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0) snprintf(library.path, sizeof library.path, "%s", map->l_name);
  for (int i = 0; i < COUNT; i++) {
    void *function = dlsym(handle, names[i]);
    if (function == NULL) continue;
    TABLE[i] = function;
    library.bound++;
  }
}

const struct gotrain_library *JOIN(gotrain_open_, LIBRARY)(void) {
  pthread_once(&once, open_once);
  return &library;
}
