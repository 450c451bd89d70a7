package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"gotrain/data/vfs"
)

// EventsConfig says who writes an event file and from where on.
type EventsConfig struct {
	Dir  string    // the run directory
	Time time.Time // of the start, part of the file's name
	Host string
	PID  int
	// PurgeFrom is the first step that this process computes, when it resumes a
	// run: TensorBoard forgets the points of earlier files from that step on. 0
	// for a run that starts anew.
	PurgeFrom int64
}

// Events writes a TensorBoard event file. A file is a sequence of records
//
//	uint64 length, uint32 masked CRC-32C of it, data, uint32 masked CRC-32C of data
//
// little endian, where masked(c) = (c rotated right by 15) + 0xa282ead8, and data
// is a tensorflow.Event protocol buffer.
type Events struct {
	name string
	a    appender
}

// Scalar is a point of a curve.
type Scalar struct {
	Tag   string // "train/nll"
	Value float64
}

// CreateEvents begins a new file events.out.tfevents.TIME.HOST.PID in cfg.Dir.
// Each process of a run has its own; TensorBoard reads them as one.
func CreateEvents(fsys vfs.FS, cfg EventsConfig) (*Events, error) {
	base := filepath.Join(cfg.Dir, fmt.Sprintf("events.out.tfevents.%010d.%s.%d", cfg.Time.Unix(), cfg.Host, cfg.PID))
	name := base
	for i := 1; ; i++ {
		_, err := fsys.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		name = fmt.Sprintf("%s.%d", base, i)
	}
	a, err := openAppender(fsys, name)
	if err != nil {
		return nil, err
	}
	e := &Events{name: name, a: a}
	start := protowire.AppendTag(event(cfg.Time, 0), eventFileVersion, protowire.BytesType)
	err = e.write(protowire.AppendString(start, "brain.Event:2"))
	if err == nil && cfg.PurgeFrom > 0 {
		session := protowire.AppendTag(nil, sessionStatus, protowire.VarintType)
		session = protowire.AppendVarint(session, sessionStart)
		err = e.write(message(event(cfg.Time, cfg.PurgeFrom), eventSessionLog, session))
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Path gives the file's name.
func (e *Events) Path() string { return e.name }

// Record writes the finite numbers of a record as curves train/nll, val/ppl and
// so on.
func (e *Events) Record(r Record) error {
	var finite []Scalar
	for _, s := range r.Columns() {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			finite = append(finite, Scalar{string(r.Split) + "/" + s.Name, s.Value})
		}
	}
	return e.Scalars(r.Time, r.Step, finite...)
}

// Scalars writes points at one step, as float32. After an error they wait for
// the next write.
func (e *Events) Scalars(t time.Time, step int64, scalars ...Scalar) error {
	if len(scalars) == 0 {
		return nil
	}
	var summary []byte
	for _, s := range scalars {
		value := protowire.AppendTag(nil, valueTag, protowire.BytesType)
		value = protowire.AppendString(value, s.Tag)
		value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(s.Value)))
		summary = message(summary, summaryValue, value)
	}
	return e.write(message(event(t, step), eventSummary, summary))
}

// Text writes a text, which TensorBoard shows as Markdown.
func (e *Events) Text(t time.Time, step int64, tag, text string) error {
	plugin := protowire.AppendTag(nil, pluginName, protowire.BytesType)
	plugin = protowire.AppendString(plugin, "text")
	metadata := message(nil, metadataPlugin, plugin)

	dim := protowire.AppendTag(nil, dimSize, protowire.VarintType)
	dim = protowire.AppendVarint(dim, 1)
	tensor := protowire.AppendTag(nil, tensorDType, protowire.VarintType)
	tensor = protowire.AppendVarint(tensor, dtypeString)
	tensor = message(tensor, tensorShape, message(nil, shapeDim, dim))
	tensor = protowire.AppendTag(tensor, tensorString, protowire.BytesType)
	tensor = protowire.AppendString(tensor, text)

	value := protowire.AppendTag(nil, valueTag, protowire.BytesType)
	value = protowire.AppendString(value, tag+"/text_summary")
	value = message(value, valueTensor, tensor)
	value = message(value, valueMetadata, metadata)
	return e.write(message(event(t, step), eventSummary, message(nil, summaryValue, value)))
}

// Close syncs and closes the file.
func (e *Events) Close() error { return e.a.close() }

// Field numbers of tensorflow's event.proto, summary.proto, tensor.proto and
// tensor_shape.proto, and the enum values used.
const (
	eventWallTime    = 1 // double, seconds since 1970
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	eventSessionLog  = 7

	sessionStatus = 1
	sessionStart  = 1 // SessionLog.START: purge from the event's step on

	summaryValue   = 1
	valueTag       = 1
	valueSimple    = 2
	valueTensor    = 8
	valueMetadata  = 9
	metadataPlugin = 1
	pluginName     = 1

	tensorDType  = 1
	tensorShape  = 2
	tensorString = 8
	dtypeString  = 7
	shapeDim     = 2
	dimSize      = 1
)

// event begins an Event.
func event(t time.Time, step int64) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(t.Unix())+float64(t.Nanosecond())/1e9))
	if step != 0 {
		b = protowire.AppendTag(b, eventStep, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(step))
	}
	return b
}

// message appends a field that is a message.
func message(b []byte, field protowire.Number, content []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

// write appends one record.
func (e *Events) write(data []byte) error {
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, data...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(data))
	return e.a.write(record)
}

func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
