package store_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/store"
)

// limit only catches hangs.
const limit = 30 * time.Second

func start(t *testing.T) (*store.Server, *store.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	server, err := store.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	client, err := store.Dial(ctx, server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return server, client, ctx
}

func TestStore(t *testing.T) {
	_, client, ctx := start(t)
	exercise(t, ctx, client)
}

func TestPrefix(t *testing.T) {
	_, client, ctx := start(t)
	exercise(t, ctx, store.WithPrefix(client, "attempt-0"))
	if ok, err := client.Has(ctx, "attempt-0/key", "attempt-0/count"); !ok || err != nil {
		t.Errorf("Has of the full keys: %v, %v", ok, err)
	}
	if ok, err := store.WithPrefix(client, "attempt-1").Has(ctx, "key"); ok || err != nil {
		t.Errorf("another attempt sees the key: %v, %v", ok, err)
	}
}

// exercise calls every method, a waiting Get before its Set.
func exercise(t *testing.T, ctx context.Context, s ranks.Store) {
	t.Helper()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if v, err := s.Get(ctx, "key"); err != nil || string(v) != "a\x00b" {
				t.Errorf("Get: %q, %v", v, err)
			}
		})
	}
	if ok, err := s.Has(ctx, "key"); ok || err != nil {
		t.Errorf("Has before Set: %v, %v", ok, err)
	}
	if err := s.Set(ctx, "key", []byte("a\x00b")); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if ok, err := s.Has(ctx, "key", "none"); ok || err != nil {
		t.Errorf("Has of a missing key: %v, %v", ok, err)
	}
	for i := range 8 {
		wg.Go(func() {
			if _, err := s.Add(ctx, "count", int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := s.Add(ctx, "count", -30); n != -2 || err != nil {
		t.Errorf("count is %d, %v; want -2", n, err)
	}
	if v, err := s.Get(ctx, "count"); string(v) != "-2" || err != nil {
		t.Errorf("count reads %q, %v", v, err)
	}
	if err := s.Set(ctx, "large", make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	if v, err := s.Get(ctx, "large"); len(v) != 1<<20 || err != nil {
		t.Errorf("large has %d bytes, %v", len(v), err)
	}
}

// TestCancel ends a waiting Get, and uses the client after it.
func TestCancel(t *testing.T) {
	_, client, ctx := start(t)
	short, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := client.Get(short, "never"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "get never") {
		t.Errorf("Get: %v", err)
	}
	if err := client.Set(ctx, "never", nil); err != nil {
		t.Error(err)
	}
}

// TestServerDies wants waiting and new requests to fail.
func TestServerDies(t *testing.T) {
	server, client, ctx := start(t)
	waiting := make(chan error)
	go func() {
		_, err := client.Get(ctx, "never")
		waiting <- err
	}()
	time.AfterFunc(20*time.Millisecond, func() { server.Close() })
	if err := <-waiting; err == nil {
		t.Error("Get of a dead store succeeds")
	}
	if err := client.Set(ctx, "key", nil); err == nil {
		t.Error("Set in a dead store succeeds")
	}
}

// TestDialWaits starts the client before the server.
func TestDialWaits(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.Addr().String()
	probe.Close()
	dialed := make(chan error)
	go func() {
		client, err := store.Dial(ctx, addr)
		if err == nil {
			err = client.Close()
		}
		dialed <- err
	}()
	time.Sleep(30 * time.Millisecond)
	server, err := store.Serve(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := <-dialed; err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := store.Dial(short, "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "is rank 0 running") {
		t.Errorf("Dial of nobody: %v", err)
	}
}

// TestStranger sends the server no protocol at all.
func TestStranger(t *testing.T) {
	server, client, ctx := start(t)
	link, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	if _, err := link.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := link.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if n, err := link.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the server answers a stranger")
	}
	if _, err := client.Has(ctx, "key"); err != nil {
		t.Error(err)
	}
}
