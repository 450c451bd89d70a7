package main

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	const resources = `
Fatbin elf code:
================
arch = sm_80

Resource usage:
 Common:
  GLOBAL:0
 Function add_f32:
  REG:26 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:384 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function flash:
  REG:168 STACK:16 SHARED:1024 LOCAL:0 CONSTANT[0]:384 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin elf code:
================
arch = sm_90a
 Function add_f32:
  REG:24 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:600
`
	const sass = `
arch = sm_80
	code for sm_80
		Function : add_f32
	.headerflags	@"EF_CUDA_SM80 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM80)"
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;  /* 0x00000a00ff017624 */
        /*0010*/              @!P0 LDG.E.128.CONSTANT R4, [R2.64] ;         /* 0x0000000402047981 */
                                                                            /* 0x000fe400078e00ff */
        /*0020*/                   LDG.E R4, [R2.64] ;
        /*0030*/               @P1 STG.E.128 [R2.64], R4 ;
		Function : flash
        /*0000*/                   LDGSTS.E.BYPASS.128 [R15], [R12.64] ;
        /*0010*/                   HMMA.16816.F32.BF16 R4, R4, R2, RZ ;
        /*0020*/             @!UP0 STL.64 [R1], R2 ;
        /*0030*/                   LDL R2, [R1] ;
arch = sm_90a
		Function : add_f32
        /*0000*/                   LDG.E.128 R4, [R2.64] ;
`
	got, err := parse(resources, sass)
	if err != nil {
		t.Fatal(err)
	}
	want := []usage{
		{kernel: "add_f32", arch: "sm_80", registers: 26, loads: 1, stores: 1},
		{kernel: "flash", arch: "sm_80", registers: 168, stack: 16, shared: 1024, local: 2, async: 1, mma: 1},
		{kernel: "add_f32", arch: "sm_90a", registers: 24, loads: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("parse = %+v\nwant    %+v", got, want)
	}
	if _, err := parse("nothing", sass); err == nil {
		t.Error("no kernels give no error")
	}
}
