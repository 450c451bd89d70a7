package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"example.com/gotrain/train/ranks"
)

// Client speaks to a store. A request has a connection to itself while it lasts,
// so one that waits delays no other; idle connections are kept.
type Client struct {
	addr string

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

var _ ranks.Store = (*Client)(nil)

type conn struct {
	net.Conn
	in *bufio.Reader
}

// Dial returns a client of the store at addr, host:port. It tries until ctx is
// done: rank 0 may start last.
func Dial(ctx context.Context, addr string) (*Client, error) {
	c := &Client{addr: addr}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		_, err := c.Has(ctx, "hello")
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; is rank 0 running, and is the port open between the machines?", err)
		case <-time.After(pause):
		}
	}
}

// Close closes the idle connections; requests under way close theirs.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, link := range c.idle {
		link.Close()
	}
	c.idle = nil
	return nil
}

// Set gives key a value, and returns when the store has it.
func (c *Client) Set(ctx context.Context, key string, value []byte) error {
	if len(value) > maxValue {
		return fmt.Errorf("store: value of %q has %d bytes, more than %d", key, len(value), maxValue)
	}
	return c.do(ctx, "set "+key, func(link *conn) error {
		// SET has no answer; that of the CHECK behind it says that both arrived.
		out := request{kind: kindSet, keys: []string{key}, value: value}.append(nil)
		out = request{kind: kindCheck, keys: []string{key}}.append(out)
		if _, err := link.Write(out); err != nil {
			return err
		}
		_, err := readNumber(link.in, 1)
		return err
	})
}

// Get waits until key has a value and returns it.
func (c *Client) Get(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := c.do(ctx, "get "+key, func(link *conn) error {
		if _, err := link.Write(request{kind: kindWait, keys: []string{key}}.append(nil)); err != nil {
			return err
		}
		if end, err := readNumber(link.in, 1); err != nil || end != waitDone {
			return errors.Join(err, fmt.Errorf("wait ended with %d", end))
		}
		if _, err := link.Write(request{kind: kindGet, keys: []string{key}}.append(nil)); err != nil {
			return err
		}
		var err error
		value, err = readBytes(link.in, maxValue)
		return err
	})
	return value, err
}

// Add adds n to the number at key and returns the sum.
func (c *Client) Add(ctx context.Context, key string, n int64) (int64, error) {
	var sum uint64
	err := c.do(ctx, "add "+key, func(link *conn) error {
		if _, err := link.Write(request{kind: kindAdd, keys: []string{key}, number: n}.append(nil)); err != nil {
			return err
		}
		var err error
		sum, err = readNumber(link.in, 8)
		return err
	})
	return int64(sum), err
}

// Has tells whether all of the keys have values.
func (c *Client) Has(ctx context.Context, keys ...string) (bool, error) {
	var answer uint64
	err := c.do(ctx, "check", func(link *conn) error {
		if _, err := link.Write(request{kind: kindCheck, keys: keys}.append(nil)); err != nil {
			return err
		}
		var err error
		answer, err = readNumber(link.in, 1)
		return err
	})
	return err == nil && answer == checkReady, err
}

// do gives talk a connection until it is done or ctx is. One that failed, or that
// an answer may still arrive on, is closed.
func (c *Client) do(ctx context.Context, what string, talk func(*conn) error) error {
	link, err := c.take(ctx)
	if err != nil {
		return fmt.Errorf("store %s: %s: %w", c.addr, what, err)
	}
	stop := context.AfterFunc(ctx, func() { link.Close() })
	err = talk(link)
	if !stop() && err != nil {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	c.mu.Lock()
	keep := err == nil && ctx.Err() == nil && !c.closed
	if keep {
		c.idle = append(c.idle, link)
	}
	c.mu.Unlock()
	if !keep {
		link.Close()
	}
	if err != nil {
		return fmt.Errorf("store %s: %s: %w", c.addr, what, err)
	}
	return nil
}

// take returns an idle connection or a new one.
func (c *Client) take(ctx context.Context) (*conn, error) {
	c.mu.Lock()
	closed := c.closed
	if n := len(c.idle); n > 0 {
		link := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return link, nil
	}
	c.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	raw, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(request{kind: kindValidate, number: magic}.append(nil)); err != nil {
		raw.Close()
		return nil, err
	}
	return &conn{Conn: raw, in: bufio.NewReader(raw)}, nil
}

// WithPrefix is the part of a store whose keys begin with prefix and a slash.
func WithPrefix(s ranks.Store, prefix string) ranks.Store { return &part{s, prefix + "/"} }

type part struct {
	whole  ranks.Store
	prefix string
}

func (p *part) Set(ctx context.Context, key string, value []byte) error {
	return p.whole.Set(ctx, p.prefix+key, value)
}

func (p *part) Get(ctx context.Context, key string) ([]byte, error) {
	return p.whole.Get(ctx, p.prefix+key)
}

func (p *part) Add(ctx context.Context, key string, n int64) (int64, error) {
	return p.whole.Add(ctx, p.prefix+key, n)
}

func (p *part) Has(ctx context.Context, keys ...string) (bool, error) {
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = p.prefix + key
	}
	return p.whole.Has(ctx, full...)
}
