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

	"example.com/gotrain/data/vfs"
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

// Events writes a TensorBoard event file, which is made when there is something to
// write. A file is a sequence of records
//
//	uint64 length, uint32 masked CRC-32C of it, data, uint32 masked CRC-32C of data
//
// little endian, where masked(c) = (c rotated right by 15) + 0xa282ead8, and data
// is a tensorflow.Event protocol buffer.
type Events struct {
	fsys vfs.FS
	cfg  EventsConfig
	name string // "" as long as there is no file
	a    appender
}

// Scalar is a point of a curve.
type Scalar struct {
	Tag   string // "train/nll"
	Value float64
}

// NewEvents returns what writes a file events.out.tfevents.TIME.HOST.PID in cfg.Dir. Each
// process of a run has its own; TensorBoard reads them as one.
func NewEvents(fsys vfs.FS, cfg EventsConfig) *Events {
	e := &Events{fsys: fsys, cfg: cfg}
	start := protowire.AppendTag(event(cfg.Time, 0), eventFileVersion, protowire.BytesType)
	e.a.keep(record(protowire.AppendString(start, "brain.Event:2")))
	if cfg.PurgeFrom > 0 {
		session := protowire.AppendTag(nil, sessionStatus, protowire.VarintType)
		session = protowire.AppendVarint(session, sessionStart)
		e.a.keep(record(message(event(cfg.Time, cfg.PurgeFrom), eventSessionLog, session)))
	}
	return e
}

// create makes the file, of a name that is free.
func (e *Events) create() error {
	base := filepath.Join(e.cfg.Dir, fmt.Sprintf("events.out.tfevents.%010d.%s.%d", e.cfg.Time.Unix(), e.cfg.Host, e.cfg.PID))
	name := base
	for i := 1; ; i++ {
		_, err := e.fsys.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		name = fmt.Sprintf("%s.%d", base, i)
	}
	a, err := openAppender(e.fsys, name)
	if err != nil {
		return err
	}
	a.pending = e.a.pending
	e.name, e.a = name, a
	return nil
}

// Path gives the file's name, "" before there is one.
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
	return e.write(textEvent(t, step, tag, text))
}

func textEvent(t time.Time, step int64, tag, text string) []byte {
	tensor := tensor(dtypeString, 1)
	tensor = protowire.AppendTag(tensor, tensorString, protowire.BytesType)
	tensor = protowire.AppendString(tensor, text)
	return pluginEvent(t, step, tag+"/text_summary", "text", nil, tensor)
}

// Settings are kept for the beginning of the file: a text for people, and the hyperparameters
// of run for TensorBoard's table of runs. Values are float64, bool or string.
func (e *Events) Settings(run, text string, settings []Setting) {
	e.a.keep(record(textEvent(e.cfg.Time, 0, "config", text)))
	start := []byte{}
	for _, s := range settings {
		entry := protowire.AppendTag(nil, mapKey, protowire.BytesType)
		entry = protowire.AppendString(entry, s.Name)
		start = message(start, sessionHParams, message(entry, mapValue, protoValue(s.Value)))
	}
	start = protowire.AppendTag(start, sessionGroup, protowire.BytesType)
	start = protowire.AppendString(start, run)
	start = protowire.AppendTag(start, sessionTime, protowire.Fixed64Type)
	start = protowire.AppendFixed64(start, math.Float64bits(seconds(e.cfg.Time)))
	content := message(nil, hparamsStart, start)
	e.a.keep(record(pluginEvent(e.cfg.Time, 0, "_hparams_/session_start_info", "hparams", content, tensor(dtypeFloat, 0))))
}

// Setting is a hyperparameter.
type Setting struct {
	Name  string
	Value any // float64, bool or string
}

// protoValue is a google.protobuf.Value.
func protoValue(v any) []byte {
	switch v := v.(type) {
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, valueNumber, protowire.Fixed64Type), math.Float64bits(v))
	case bool:
		return protowire.AppendVarint(protowire.AppendTag(nil, valueBool, protowire.VarintType), protowire.EncodeBool(v))
	}
	return protowire.AppendString(protowire.AppendTag(nil, valueString, protowire.BytesType), fmt.Sprint(v))
}

// tensor begins a tensor of one axis.
func tensor(dtype, size uint64) []byte {
	var dim []byte
	if size > 0 {
		dim = protowire.AppendVarint(protowire.AppendTag(nil, dimSize, protowire.VarintType), size)
	}
	t := protowire.AppendVarint(protowire.AppendTag(nil, tensorDType, protowire.VarintType), dtype)
	return message(t, tensorShape, message(nil, shapeDim, dim))
}

// pluginEvent is an event with one value for a plugin of TensorBoard.
func pluginEvent(t time.Time, step int64, tag, plugin string, content, tensor []byte) []byte {
	data := protowire.AppendString(protowire.AppendTag(nil, pluginName, protowire.BytesType), plugin)
	if content != nil {
		data = message(data, pluginContent, content)
	}
	value := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), tag)
	value = message(value, valueTensor, tensor)
	value = message(value, valueMetadata, message(nil, metadataPlugin, data))
	return message(event(t, step), eventSummary, message(nil, summaryValue, value))
}

// Close syncs and closes the file, if there is one.
func (e *Events) Close() error {
	if e.name == "" {
		return nil
	}
	return e.a.close()
}

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
	pluginContent  = 2

	// HParamsPluginData, SessionStartInfo, an entry of a map, and google.protobuf.Value.
	hparamsStart   = 3
	sessionHParams = 1
	sessionGroup   = 4
	sessionTime    = 5
	mapKey         = 1
	mapValue       = 2
	valueNumber    = 2
	valueString    = 3
	valueBool      = 4

	tensorDType  = 1
	tensorShape  = 2
	tensorString = 8
	dtypeFloat   = 1
	dtypeString  = 7
	shapeDim     = 2
	dimSize      = 1
)

// event begins an Event.
func event(t time.Time, step int64) []byte {
	b := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(seconds(t)))
	if step != 0 {
		b = protowire.AppendTag(b, eventStep, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(step))
	}
	return b
}

func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }

// message appends a field that is a message.
func message(b []byte, field protowire.Number, content []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, content)
}

// write appends one record.
func (e *Events) write(data []byte) error {
	if e.name == "" {
		if err := e.create(); err != nil {
			e.a.keep(record(data))
			return err
		}
	}
	return e.a.write(record(data))
}

// record frames data.
func record(data []byte) []byte {
	r := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	r = binary.LittleEndian.AppendUint32(r, maskedCRC(r))
	r = append(r, data...)
	return binary.LittleEndian.AppendUint32(r, maskedCRC(data))
}

func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
