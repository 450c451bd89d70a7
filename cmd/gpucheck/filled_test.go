package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/filled.txt")

// fill gives each field a value of its own, by its path, so that what is printed tells which field it is.
func fill(v reflect.Value, path string) {
	hash := fnv.New32a()
	hash.Write([]byte(path))
	number := int64(hash.Sum32()%997 + 2)
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes(fmt.Appendf(nil, `{"head_dim": %d}`, number))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), path+"."+f.Name)
			}
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), fmt.Sprint(path, i))
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, fmt.Sprint(path, "-key", i))
			fill(value, fmt.Sprint(path, i))
			v.SetMapIndex(key, value)
		}
	case v.Kind() == reflect.String:
		v.SetString(strings.ToLower(path[strings.LastIndex(path, ".")+1:]) + fmt.Sprint("-", number))
	case v.CanFloat():
		v.SetFloat(float64(number) * 1.0625)
	case v.CanInt():
		v.SetInt(number << 20)
	case v.CanUint():
		v.SetUint(uint64(number))
	case v.Kind() == reflect.Bool:
		v.SetBool(number%2 == 0)
	}
}

// TestFilled compares the table and the JSON of a report whose every field has a value of its own with
// testdata/filled.txt; -update writes it.
func TestFilled(t *testing.T) {
	var r report
	fill(reflect.ValueOf(&r).Elem(), "report")
	for i, kind := range []string{"Attention", "AttentionBackward"} { // what is compared has the names that it is told by
		r.Bench.Kernels[i].Kind, r.Bench.Kernels[i].Shape = kind, json.RawMessage(`{"head_dim": 128}`)
		r.Torch.Kernels[i].Name = r.Bench.Kernels[i].Name
		r.Torch.Kernels[i].MS = map[string]float64{"flash": 3.5 + float64(i), "cudnn": 2.25}
		name := []string{"124m-b16", "1558m-b8"}[i]
		r.First[i].Name, r.Bench.Steps[i].Name, r.Torch.Steps[i].Name = name, name, name
	}
	r.Small, r.Card.UsedBytes, r.Parts[1].Status = false, 1<<20, "cut"
	var got strings.Builder
	for _, gpu := range []string{"NVIDIA H200", "another", ""} {
		r.Bench.Machine.GPU = gpu
		fmt.Fprintf(&got, "==== on %q\n", gpu)
		r.print(&got)
		for _, target := range r.targets() {
			text, err := json.Marshal(target)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s\n", text)
		}
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got.Write(raw)
	const file = "testdata/filled.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("line %d is\n%q\nwant\n%q", i+1, is[min(i, len(is)):min(i+1, len(is))], was[min(i, len(was)):min(i+1, len(was))])
		}
	}
}
