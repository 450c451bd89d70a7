// Package endpoint asks a server that speaks OpenAI's API to write: /chat/completions for
// messages, /completions for text that is continued.
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/gotrain/data/synth/bootstrap"
)

// Client is an author (bootstrap.Author) behind a server. It is for one caller at a time.
type Client struct {
	URL         string // of the API, such as http://127.0.0.1:8080/v1
	Model       string // as the server names it
	Token       string // "" for none
	Plain       bool   // messages are continued as text: the model was not tuned on conversations
	Parallel    int    // requests at once
	Timeout     time.Duration
	Retries     int           // of a request that fails for a while
	Pause       time.Duration // before the first retry; each later one waits twice as long
	Temperature float64
	TopP        float64

	answered atomic.Bool // the server has answered once
}

// longest is the most bytes of a response, and longestPause what a server may have a retry wait.
const (
	longest      = 16 << 20
	longestPause = time.Minute
)

// Validate says what is wrong.
func (c *Client) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("endpoint: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("endpoint: %q is no address of a server; write it as http://127.0.0.1:8080/v1", c.URL)
	case c.Model == "":
		return errors.New("endpoint: the server wants the name of a model")
	case c.Parallel < 1, c.Retries < 0, c.Timeout <= 0:
		return fmt.Errorf("endpoint: %d requests at once, %d retries, %v for each: use more", c.Parallel, c.Retries, c.Timeout)
	}
	return nil
}

// About names the model and its server, which tells no hash.
func (c *Client) About() bootstrap.About {
	return bootstrap.About{Model: c.Model + "@" + c.URL, Sampling: fmt.Sprintf("temperature %g, top-p %g, plain %t", c.Temperature, c.TopP, c.Plain)}
}

// Answer asks for all answers, some at once. A response that is none, and a request that the
// server finds wrong, are faults of the answer; a server that can't be reached, refuses all, or
// goes on failing ends it with an error.
func (c *Client) Answer(ctx context.Context, prompts []bootstrap.Prompt, done func(int, bootstrap.Answer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		next  atomic.Int64
		mutex sync.Mutex // of done and failed
		all   sync.WaitGroup
		fail  error
	)
	for range min(c.Parallel, len(prompts)) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(prompts) || ctx.Err() != nil {
					return
				}
				answer, err := c.ask(ctx, &prompts[i])
				mutex.Lock()
				if err == nil && fail == nil {
					err = done(i, answer)
				}
				if err != nil && fail == nil {
					fail = err
					cancel()
				}
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	if fail == nil {
		return ctx.Err()
	}
	return fail
}

// A fault is a response that is no answer; another try may give one if again is set.
type fault struct {
	err   error
	again bool
	skip  bool // counts as an answer's fault when tries are used up
	pause time.Duration
}

// ask tries until there is an answer.
func (c *Client) ask(ctx context.Context, p *bootstrap.Prompt) (bootstrap.Answer, error) {
	pause := c.Pause
	for try := 0; ; try++ {
		answer, f := c.try(ctx, p)
		if f == nil {
			c.answered.Store(true)
			return answer, nil
		}
		if ctx.Err() != nil {
			return answer, ctx.Err()
		}
		if !f.again || try == c.Retries {
			if f.skip && (c.answered.Load() || !f.again) {
				return bootstrap.Answer{Fault: f.err.Error()}, nil
			}
			return answer, fmt.Errorf("endpoint %s: %w", c.URL, f.err)
		}
		select {
		case <-time.After(max(pause, f.pause)):
		case <-ctx.Done():
			return answer, ctx.Err()
		}
		pause *= 2
	}
}

// message is that of a chat.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// request is the body of both kinds.
type request struct {
	Model       string    `json:"model"`
	Messages    []message `json:"messages,omitempty"`
	Prompt      string    `json:"prompt,omitempty"`
	MaxTokens   int       `json:"max_tokens"`
	Temperature float64   `json:"temperature"`
	TopP        float64   `json:"top_p"`
	Stop        []string  `json:"stop,omitempty"`
	Seed        uint64    `json:"seed"`
}

// try sends a request.
func (c *Client) try(ctx context.Context, p *bootstrap.Prompt) (bootstrap.Answer, *fault) {
	body := request{Model: c.Model, MaxTokens: p.MaxTokens, Temperature: c.Temperature, TopP: c.TopP, Stop: p.Stop, Seed: p.Seed}
	path := "/chat/completions"
	if p.Form == bootstrap.Rendered || c.Plain {
		path, body.Prompt = "/completions", p.Whole()
	} else {
		body.Messages = []message{{"user", p.Whole()}}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return bootstrap.Answer{}, &fault{err: err}
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, http.MethodPost, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(text))
	if err != nil {
		return bootstrap.Answer{}, &fault{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return bootstrap.Answer{}, unreached(err, c.Timeout)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, longest))
	if err != nil {
		return bootstrap.Answer{}, unreached(err, c.Timeout)
	}
	if response.StatusCode != http.StatusOK {
		return bootstrap.Answer{}, refused(response, raw)
	}
	return parse(raw)
}

// unreached is a request without a response.
func unreached(err error, timeout time.Duration) *fault {
	var slow net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout() {
		return &fault{err: fmt.Errorf("no answer within %v (give it more time, or ask for fewer tokens)", timeout), again: true, skip: true}
	}
	var of *url.Error // its text repeats the address
	if errors.As(err, &of) {
		err = of.Err
	}
	return &fault{err: fmt.Errorf("%w (is the server there?)", err), again: true}
}

// refused is a response of another status than 200.
func refused(response *http.Response, raw []byte) *fault {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	text := strings.TrimSpace(string(raw))
	if json.Unmarshal(raw, &said) == nil && said.Error != nil {
		var in struct {
			Message string `json:"message"`
		}
		if text = string(said.Error); json.Unmarshal(said.Error, &in) == nil && in.Message != "" {
			text = in.Message
		}
	}
	f := &fault{err: fmt.Errorf("%s: %.300s", response.Status, text)}
	switch code := response.StatusCode; {
	case code == http.StatusTooManyRequests || code >= 500:
		f.again = true
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
			f.pause = min(time.Duration(seconds)*time.Second, longestPause)
		}
	case code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnprocessableEntity:
		f.skip = true // this prompt, such as one that is too long
	}
	return f
}

// parse finds the answer in a response.
func parse(raw []byte) (bootstrap.Answer, *fault) {
	malformed := func(err error) (bootstrap.Answer, *fault) {
		return bootstrap.Answer{}, &fault{err: fmt.Errorf("the response is no completion: %w: %.80q", err, raw), skip: true}
	}
	var said struct {
		Choices []struct {
			Text    *string  `json:"text"`
			Message *message `json:"message"`
			Reason  string   `json:"finish_reason"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return malformed(err)
	}
	if len(said.Choices) == 0 {
		return malformed(errors.New("no choices"))
	}
	choice := said.Choices[0]
	switch {
	case choice.Message != nil:
		return bootstrap.Answer{Text: choice.Message.Content, Ended: choice.Reason != "length"}, nil
	case choice.Text != nil:
		return bootstrap.Answer{Text: *choice.Text, Ended: choice.Reason != "length"}, nil
	}
	return malformed(errors.New("neither message nor text"))
}
