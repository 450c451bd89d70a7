// jit CHIP FILE...: translates files of PTX for a chip by nvJitLink, the compiler that the driver has too.
#include <nvJitLink.h>
#include <stdio.h>
#include <stdlib.h>

static char* read_all(const char* name, size_t* bytes) {
  FILE* f = fopen(name, "rb");
  if (!f || fseek(f, 0, SEEK_END)) return NULL;
  *bytes = ftell(f);
  rewind(f);
  char* text = calloc(*bytes + 1, 1);
  if (fread(text, 1, *bytes, f) != *bytes) return NULL;
  fclose(f);
  ++*bytes;  // PTX ends with a zero
  return text;
}

int main(int argc, char** argv) {
  char arch[64];
  snprintf(arch, sizeof arch, "-arch=%s", argv[1]);
  const char* options[] = {arch};
  size_t total = 0;
  for (int i = 2; i < argc; i++) {
    size_t bytes = 0;
    char* text = read_all(argv[i], &bytes);
    nvJitLinkHandle handle;
    if (!text || nvJitLinkCreate(&handle, 1, options)) {
      printf("%s: not there, or no such chip as %s\n", argv[i], argv[1]);
      return 1;
    }
    if (nvJitLinkAddData(handle, NVJITLINK_INPUT_PTX, text, bytes, argv[i]) || nvJitLinkComplete(handle)) {
      size_t n = 0;
      nvJitLinkGetErrorLogSize(handle, &n);
      char* log = calloc(n + 1, 1);
      nvJitLinkGetErrorLog(handle, log);
      printf("%s: %s\n", argv[i], log);
      return 1;
    }
    size_t cubin = 0;
    nvJitLinkGetLinkedCubinSize(handle, &cubin);
    total += cubin;
    nvJitLinkDestroy(&handle);
    free(text);
  }
  printf("%d modules, %zu bytes of machine code\n", argc - 2, total);
  return 0;
}
