package endpoint_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/gotrain/data/synth/bootstrap"
	"example.com/gotrain/data/synth/endpoint"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

// asked is what a server reads.
type asked struct {
	Model     string
	Prompt    string
	Messages  []struct{ Role, Content string }
	MaxTokens int `json:"max_tokens"`
	Seed      uint64
	Stop      []string
}

func client(url string) *endpoint.Client {
	return &endpoint.Client{URL: url, Model: "m", Token: "secret", Parallel: 3, Timeout: time.Minute, Retries: 2, Pause: time.Millisecond, Temperature: 0.7, TopP: 0.9}
}

// serve answers by a function of the request.
func serve(t *testing.T, handle func(w http.ResponseWriter, path string, a asked)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a asked
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil || r.Header.Get("Authorization") != "Bearer secret" || a.Model != "m" {
			t.Errorf("%+v, %v, %v", a, r.Header, err)
		}
		handle(w, r.URL.Path, a)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1/"
}

func chat(w http.ResponseWriter, text, reason string) {
	_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]string{"role": "assistant", "content": text}, "finish_reason": reason}}})
}

func TestAnswers(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, path string, a asked) {
		switch {
		case path == "/v1/completions" && len(a.Messages) == 0:
			_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"text": "user says " + a.Prompt, "finish_reason": "stop"}}})
		case path == "/v1/chat/completions" && a.Messages[0].Role == "user":
			chat(w, fmt.Sprintf("%s %d %d %v", a.Messages[0].Content, a.Seed, a.MaxTokens, a.Stop), map[bool]string{true: "length", false: "stop"}[a.Seed == 4])
		default:
			t.Errorf("%s: %+v", path, a)
		}
	})
	prompts := []bootstrap.Prompt{{Text: "<user>", Form: bootstrap.Rendered, MaxTokens: 5}}
	for i := range 20 {
		prompts = append(prompts, bootstrap.Prompt{Text: "hello", Seed: uint64(i), MaxTokens: 9, Stop: []string{"x"}})
	}
	got := make([]bootstrap.Answer, len(prompts))
	if err := client(url).Answer(context.Background(), prompts, func(i int, a bootstrap.Answer) error { got[i] = a; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, a := range got {
		want := bootstrap.Answer{Text: fmt.Sprintf("hello %d 9 [x]", i-1), Ended: i != 5}
		if i == 0 {
			want.Text = "user says <user>"
		}
		if a != want {
			t.Errorf("%d: %+v, want %+v", i, a, want)
		}
	}
}

// TestFaults: what a server does wrong is one error or a fault of the answer, and what passes is tried again.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name       string
		handle     func(w http.ResponseWriter, try int)
		err, fault string
		tries      int
	}{
		{"unauthorized", func(w http.ResponseWriter, _ int) {
			http.Error(w, `{"error":{"message":"wrong key"}}`, http.StatusUnauthorized)
		}, "401 Unauthorized: wrong key", "", 1},
		{"no such model", func(w http.ResponseWriter, _ int) {
			http.Error(w, `{"error":"model m not found"}`, http.StatusNotFound)
		}, "model m not found", "", 1},
		{"too long", func(w http.ResponseWriter, _ int) {
			http.Error(w, `{"error":{"message":"context length exceeded"}}`, http.StatusBadRequest)
		}, "", "context length exceeded", 1},
		{"overloaded", func(w http.ResponseWriter, try int) {
			if try < 3 {
				http.Error(w, "later", http.StatusTooManyRequests)
				return
			}
			chat(w, "now", "stop")
		}, "", "", 3},
		{"broken", func(w http.ResponseWriter, _ int) { http.Error(w, "oops", http.StatusInternalServerError) }, "500 Internal Server Error: oops", "", 3},
		{"no JSON", func(w http.ResponseWriter, _ int) { fmt.Fprint(w, "<html>") }, "", "no completion", 1},
		{"no choices", func(w http.ResponseWriter, _ int) { fmt.Fprint(w, `{"choices":[]}`) }, "", "no choices", 1},
		{"empty choice", func(w http.ResponseWriter, _ int) { fmt.Fprint(w, `{"choices":[{}]}`) }, "", "neither message nor text", 1},
		{"cut off", func(w http.ResponseWriter, try int) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		}, "is the server there?", "", 3},
	} {
		var tries atomic.Int64
		url := serve(t, func(w http.ResponseWriter, _ string, _ asked) { c.handle(w, int(tries.Add(1))) })
		var got bootstrap.Answer
		err := client(url).Answer(context.Background(), make([]bootstrap.Prompt, 1), func(_ int, a bootstrap.Answer) error { got = a; return nil })
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) || !strings.Contains(got.Fault, c.fault) || (got.Fault == "") != (c.fault == "") || int(tries.Load()) != c.tries {
			t.Errorf("%s: %d tries, %+v, %v", c.name, tries.Load(), got, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	if err := client(closed.URL).Answer(context.Background(), make([]bootstrap.Prompt, 5), nil); err == nil || !strings.Contains(err.Error(), "connection refused (is the server there?)") {
		t.Errorf("%v", err)
	}
	wait := make(chan bool)
	url := serve(t, func(http.ResponseWriter, string, asked) { <-wait })
	defer close(wait)
	slow := client(url)
	slow.Timeout = 10 * time.Millisecond
	if err := slow.Answer(context.Background(), make([]bootstrap.Prompt, 2), nil); err == nil || !strings.Contains(err.Error(), "no answer within 10ms") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := client(url).Answer(ctx, make([]bootstrap.Prompt, 2), nil); err == nil {
		t.Error("a cancelled context answers")
	}
	for _, url := range []string{"localhost:80", "ftp://x", "http://", "://"} {
		if err := client(url).Validate(); err == nil {
			t.Errorf("%s is an address", url)
		}
	}
}

// TestRunOverServer: answers of a server in any order give the same records.
func TestRunOverServer(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ string, a asked) {
		if a.Seed%7 == 0 {
			fmt.Fprint(w, "no answer")
			return
		}
		chat(w, fmt.Sprintf("Passage %d of %x, number %d: %s", a.Seed, a.Seed, a.Seed/3, a.Messages[0].Content[:a.Seed%60]), "stop")
	})
	var want []byte
	for _, parallel := range []int{1, 8} {
		c := client(url)
		c.Parallel = parallel
		disk := vfstest.NewMem()
		cfg := bootstrap.Config{Dir: "d", Method: bootstrap.Textbook{MaxTokens: 9}, Count: 20, Seed: 1, Round: 6, Patience: 3}
		p, err := bootstrap.Run(context.Background(), disk, cfg, []bootstrap.Task{{ID: "a", Instruction: "lenses"}, {ID: "b", Instruction: "prisms"}}, c, nil)
		if err != nil || p.Rejected[bootstrap.Malformed] == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		got, err := vfs.ReadFile(disk, "d/"+bootstrap.RecordsFile, 1<<20)
		if err != nil || want != nil && string(got) != string(want) {
			t.Errorf("%d at once: %v\n%s\nbefore\n%s", parallel, err, got, want)
		}
		want = got
	}
}
