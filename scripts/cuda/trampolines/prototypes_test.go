package main

import (
	"slices"
	"testing"
)

func TestPrototypes(t *testing.T) {
	const header = `
extern "C" int other(void);
typedef int (*cuCallback)(void *data);
typedef struct cuThing_st { int (*cuField)(int); } cuThing;
enum cuEnum { A = (1 + 2), B };
CUresult cuSecond_v2(CUcontext *context, void (*cuHook)(int), unsigned sizes[3]);
CUresult __attribute__((deprecated("use cuSecond(int)"))) cuFirst(void);
static inline CUresult cuInline(int x) { return cuSecond_v2(0, 0, 0); }
CUresult
cuThird(
    int a);
CUresult cuFirst(void);
const char * cuFourth(int *x);
int *other_pointer;
int *cuNoFunction;
CUresult cuFifth(int *x);
int cublasLtCreate(void);
`
	got := prototypes(header, "cu")
	want := []function{{"cuFifth", false}, {"cuFirst", false}, {"cuFourth", true}, {"cuSecond_v2", false}, {"cuThird", false}}
	if !slices.Equal(got, want) {
		t.Errorf("prototypes = %+v, want %+v", got, want)
	}
}
