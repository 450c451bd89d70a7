package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Server holds a table and answers the requests of all ranks. It knows the
// requests of this package's client, and the PING with which torch's begins.
type Server struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	values map[string][]byte
	change chan struct{} // closed when a key gets a value
	links  map[net.Conn]bool
	closed bool
}

// Serve starts a server at addr, host:port; an empty host is all of the machine's
// addresses, port 0 a free one.
func Serve(addr string) (*Server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("store: %w; another port: set MASTER_PORT on all ranks", err)
	}
	s := &Server{listener: listener, values: map[string][]byte{}, change: make(chan struct{}), links: map[net.Conn]bool{}}
	s.running.Go(s.accept)
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends the server and all its connections.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for link := range s.links {
		link.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

func (s *Server) accept() {
	for {
		link, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, say: some are given back sooner or later
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		if s.closed {
			link.Close()
		} else {
			s.links[link] = true
			s.running.Go(func() { s.serve(link) })
		}
		s.mu.Unlock()
	}
}

// serve answers one connection until it ends or asks for something unknown. A
// goroutine of its own reads, so that a WAIT sees its cancellation and its end.
func (s *Server) serve(link net.Conn) {
	requests := make(chan request)
	done := make(chan struct{})
	s.running.Go(func() {
		defer close(requests)
		in := bufio.NewReader(link)
		for {
			r, err := readRequest(in)
			if err != nil {
				return
			}
			select {
			case requests <- r:
			case <-done:
				return
			}
		}
	})
	s.answerAll(link, requests)
	close(done)
	link.Close()
	s.mu.Lock()
	delete(s.links, link)
	s.mu.Unlock()
}

func (s *Server) answerAll(link io.Writer, requests <-chan request) {
	if first := <-requests; first.kind != kindValidate || first.number != magic {
		return
	}
	for r := range requests {
		out, ok := s.answer(r, requests)
		if !ok {
			return
		}
		if _, err := link.Write(out); err != nil {
			return
		}
	}
}

// answer carries a request out and returns the bytes to send; false ends the
// connection.
func (s *Server) answer(r request, next <-chan request) ([]byte, bool) {
	if r.kind == kindWait {
		return s.wait(r.keys, next)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.kind {
	case kindSet:
		s.set(r.keys[0], r.value)
		return nil, true
	case kindGet:
		value, ok := s.values[r.keys[0]]
		return appendBytes(nil, value), ok
	case kindAdd:
		return s.add(r.keys[0], r.number)
	case kindCheck:
		if s.has(r.keys) {
			return []byte{checkReady}, true
		}
		return []byte{checkMissing}, true
	case kindPing:
		return binary.LittleEndian.AppendUint32(nil, uint32(r.number)), true
	}
	return nil, r.kind == kindCancelWait // late: the WAIT was over
}

// add needs the lock. Numbers are text, as torch stores them.
func (s *Server) add(key string, n int64) ([]byte, bool) {
	if old, ok := s.values[key]; ok {
		was, err := strconv.ParseInt(string(old), 10, 64)
		if err != nil {
			return nil, false
		}
		n += was
	}
	s.set(key, strconv.AppendInt(nil, n, 10))
	return binary.LittleEndian.AppendUint64(nil, uint64(n)), true
}

// set needs the lock.
func (s *Server) set(key string, value []byte) {
	s.values[key] = value
	close(s.change)
	s.change = make(chan struct{})
}

// has needs the lock.
func (s *Server) has(keys []string) bool {
	for _, key := range keys {
		if _, ok := s.values[key]; !ok {
			return false
		}
	}
	return true
}

// wait answers when all keys have values or the client gives up. A client sends
// nothing but CANCEL_WAIT meanwhile.
func (s *Server) wait(keys []string, next <-chan request) ([]byte, bool) {
	for {
		s.mu.Lock()
		ready, change := s.has(keys), s.change
		s.mu.Unlock()
		if ready {
			return []byte{waitDone}, true
		}
		select {
		case <-change:
		case r, ok := <-next:
			return []byte{waitCancelled}, ok && r.kind == kindCancelWait
		}
	}
}
