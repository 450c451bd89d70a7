// Package store is the table of keys through which ranks meet: a client and a
// server of the wire protocol of PyTorch's TCPStore, so that ranks started by
// torchrun use the store that torchrun serves already.
//
// [Dial] gives a client, which is a [example.com/gotrain/train/ranks.Store]; [Serve] a server, which
// rank 0 runs where the launcher serves none; [WithPrefix] a part of a store.
//
// The protocol (torch/csrc/distributed/c10d, TCPStoreBackend.hpp and .cpp): a
// request is one byte of kind and its arguments, numbers are little-endian, a
// string is its length in 8 bytes and its bytes. A connection begins with VALIDATE
// and a magic number. There are no errors: a server that does not like a request
// closes the connection.
package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// kind is the first byte of a request.
type kind byte

const (
	kindValidate   kind = 0  // magic uint32; no answer
	kindSet        kind = 1  // key, value; no answer
	kindGet        kind = 3  // key; the value
	kindAdd        kind = 4  // key, int64; the sum, int64
	kindCheck      kind = 5  // count uint64, keys; one byte, 0 when all are there
	kindWait       kind = 6  // count uint64, keys; one byte, waitDone or waitCancelled, when all are there
	kindCancelWait kind = 12 // ends a WAIT that is under way
	kindPing       kind = 13 // nonce uint32; the nonce
)

const (
	magic = 0x3C85F7CE

	checkReady   = 0
	checkMissing = 1

	waitDone      = 0
	waitCancelled = 1

	// Limits of a request, so that a stray connection costs little memory.
	maxKeys  = 1 << 16
	maxKey   = 8 << 10
	maxValue = 8 << 20
)

// request is any of the kinds.
type request struct {
	kind   kind
	keys   []string
	value  []byte
	number int64 // of ADD; magic and nonce
}

// append writes the request.
func (r request) append(b []byte) []byte {
	b = append(b, byte(r.kind))
	switch r.kind {
	case kindValidate, kindPing:
		return binary.LittleEndian.AppendUint32(b, uint32(r.number))
	case kindCancelWait:
		return b
	case kindCheck, kindWait:
		b = binary.LittleEndian.AppendUint64(b, uint64(len(r.keys)))
	}
	for _, key := range r.keys {
		b = appendBytes(b, []byte(key))
	}
	switch r.kind {
	case kindSet:
		b = appendBytes(b, r.value)
	case kindAdd:
		b = binary.LittleEndian.AppendUint64(b, uint64(r.number))
	}
	return b
}

func appendBytes(b, s []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// readRequest reads one request. io.EOF says that the connection ended between
// two of them.
func readRequest(in *bufio.Reader) (request, error) {
	first, err := in.ReadByte()
	if err != nil {
		return request{}, err
	}
	r := request{kind: kind(first)}
	keys := uint64(1)
	switch r.kind {
	case kindValidate, kindPing:
		n, err := readNumber(in, 4)
		r.number = int64(n)
		return r, err
	case kindCancelWait:
		return r, nil
	case kindCheck, kindWait:
		if keys, err = readNumber(in, 8); err != nil {
			return r, err
		}
	case kindSet, kindGet, kindAdd:
	default:
		return r, fmt.Errorf("store: request of unknown kind %d", first)
	}
	if keys > maxKeys {
		return r, fmt.Errorf("store: request with %d keys, more than %d", keys, maxKeys)
	}
	for range keys {
		key, err := readBytes(in, maxKey)
		if err != nil {
			return r, err
		}
		r.keys = append(r.keys, string(key))
	}
	switch r.kind {
	case kindSet:
		r.value, err = readBytes(in, maxValue)
	case kindAdd:
		var n uint64
		n, err = readNumber(in, 8)
		r.number = int64(n)
	}
	return r, err
}

// readNumber reads an unsigned number of 1 to 8 bytes.
func readNumber(in io.Reader, size int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(in, b[:size]); err != nil {
		return 0, cut(err)
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// readBytes reads a string. Memory grows with what arrives, not with what the
// length promises.
func readBytes(in io.Reader, most uint64) ([]byte, error) {
	n, err := readNumber(in, 8)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("store: string of %d bytes, more than %d", n, most)
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// cut makes an end inside a request different from one between two.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
